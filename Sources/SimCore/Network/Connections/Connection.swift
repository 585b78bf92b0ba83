import Ports

/// Names a connection of a transport. A stale one is recognised: connections are never mixed up.
public struct ConnectionID: Hashable, Sendable {
    let index: UInt32
    let generation: UInt32

    var word: UInt64 { UInt64(generation) << 32 | UInt64(index) }
    init(word: UInt64) {
        index = UInt32(truncatingIfNeeded: word)
        generation = UInt32(truncatingIfNeeded: word >> 32)
    }
    init(index: UInt32, generation: UInt32) {
        self.index = index
        self.generation = generation
    }

    /// A number that is unique within its transport, for use as a key.
    public var number: UInt64 { word }
}

/// The two ends of a connection.
public enum ConnectionSide: UInt8, Hashable, Sendable {
    /// The end that connected.
    case client = 0
    /// The end that accepted.
    case server = 1

    var other: ConnectionSide { self == .client ? .server : .client }
}

/// Why a connection has ended, as TCP shows it to this side.
public enum ConnectionEnd: Hashable, Sendable {
    /// The peer closed in order, after all that it had sent.
    case closed
    /// The peer's end is gone (ECONNRESET): what was in flight, either way, may be lost.
    case reset
    /// Nobody listens there (ECONNREFUSED).
    case refused
    /// No acknowledgement for too long (ETIMEDOUT).
    case timedOut
}

/// What the two ends of a transport's connections are told. Called synchronously, at the event's own time; it must not wait.
public protocol ConnectionDelegate<Message>: AnyObject {
    /// What the connections carry.
    associatedtype Message
    /// This end is open: for a client after the handshake, for a server when a client connects.
    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID)
    /// A message arrived, in order. It is moved to the receiver, which saves the copy; a method whose parameter is not marked
    /// `consuming` does as well.
    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming Message)
    /// This end is over. Nothing more comes of it.
    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd)
}
