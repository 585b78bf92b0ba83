import Ports

/// The connections of a transport as a value: for each direction what is on its way, in order, and what each end believes.
struct ConnectionTable<Message>: ~Copyable {
    enum EndState {
        /// Connecting (client), or not yet heard of (server).
        case opening
        case open
        /// Over, as far as this end knows.
        case ended
    }

    struct Segment {
        let dueAt: Instant
        /// `nil` is the end of the stream: the sender has closed.
        var message: Message?
    }

    /// One direction: segments in flight, in order.
    struct Flow {
        var segments: ContiguousArray<Segment> = []
        var head = 0
        /// Since when nothing has got through; `nil` while it flows.
        var stalledSince: Instant?
        var retryInterval = Nanoseconds.zero

        var first: Segment? { head < segments.count ? segments[head] : nil }
        var lastDueAt: Instant? { head < segments.count ? segments[segments.count - 1].dueAt : nil }

        @inline(__always)
        func isDue(at now: Instant) -> Bool {
            stalledSince == nil && head < segments.count && segments[head].dueAt <= now
        }

        /// How many segments have fallen due.
        func dueCount(at now: Instant) -> Int { segments[head...].prefix { $0.dueAt <= now }.count }

        /// Appends a segment, which is due no earlier than the one before it.
        ///
        /// - Returns: when it is due.
        @inline(__always)
        mutating func append(_ message: consuming Message?, dueAt planned: Instant) -> Instant {
            let due = lastDueAt.map { max(planned, $0) } ?? planned
            segments.append(Segment(dueAt: due, message: message))
            return due
        }

        /// Takes the first segment's message out: moved, since a copy counts a reference for each part of the message.
        mutating func removeFirst() -> Message? {
            let message = segments[head].message.take()
            head += 1
            if head == segments.count {
                segments.removeAll(keepingCapacity: true)
                head = 0
            } else if head == 64 {
                segments.removeFirst(64)
                head = 0
            }
            return message
        }

        mutating func clear() {
            segments.removeAll(keepingCapacity: true)
            head = 0
            stalledSince = nil
        }
    }

    struct End {
        var process: ProcessID
        var incarnation: UInt32
        var state: EndState
        var delegate: (any ConnectionDelegate<Message>)?
        /// Its process died: nothing more is sent for it, not even again.
        var hasCrashed = false
        /// This end's next message is lost, and the connection with it: the request has taken effect.
        var losesNextMessage: FaultInstanceID?
    }

    struct Connection {
        var generation: UInt32
        var client: End
        var server: End
        /// Client to server, and back.
        var flows: (Flow, Flow)
        var isUsed: Bool
        /// Broken in the middle: nothing gets through any more, and both ends are about to hear of it.
        var isCut = false
    }

    private var connections = PinnedArray<Connection>()
    private var free: ContiguousArray<UInt32> = []

    mutating func insert(client: End, server: End) -> ConnectionID {
        if let index = free.popLast() {
            let generation = connections[Int(index)].generation + 1
            connections[Int(index)] = Connection(
                generation: generation, client: client, server: server, flows: (Flow(), Flow()), isUsed: true)
            return ConnectionID(index: index, generation: generation)
        }
        connections.append(
            Connection(
                generation: 1, client: client, server: server, flows: (Flow(), Flow()), isUsed: true))
        return ConnectionID(index: UInt32(connections.count - 1), generation: 1)
    }

    func contains(_ id: ConnectionID) -> Bool {
        let index = Int(id.index)
        return index < connections.count && connections[index].generation == id.generation && connections[index].isUsed
    }

    /// Ids in use, by slot.
    var ids: [ConnectionID] {
        var ids: [ConnectionID] = []
        for index in 0..<connections.count where connections[index].isUsed {
            ids.append(ConnectionID(index: UInt32(index), generation: connections[index].generation))
        }
        return ids
    }

    /// Gives the slot back once both ends know that it is over.
    mutating func releaseIfOver(_ id: ConnectionID) {
        let index = Int(id.index)
        guard connections[index].isUsed, connections[index].client.state == .ended,
            connections[index].server.state == .ended
        else { return }
        connections[index].isUsed = false
        connections[index].client.delegate = nil
        connections[index].server.delegate = nil
        connections[index].flows.0.clear()
        connections[index].flows.1.clear()
        free.append(id.index)
    }

    @inline(__always)
    mutating func withConnection<Result>(_ id: ConnectionID, _ body: (inout Connection) -> Result) -> Result {
        body(&connections[Int(id.index)])
    }

    // Single fields, read in place: a copy of an end or of a flow costs more than all else that a message's event does.

    @inline(__always)
    func process(_ id: ConnectionID, _ side: ConnectionSide) -> ProcessID {
        side == .client ? connections[Int(id.index)].client.process : connections[Int(id.index)].server.process
    }

    @inline(__always)
    func state(_ id: ConnectionID, _ side: ConnectionSide) -> EndState {
        side == .client ? connections[Int(id.index)].client.state : connections[Int(id.index)].server.state
    }

    @inline(__always)
    func delegate(_ id: ConnectionID, _ side: ConnectionSide) -> (any ConnectionDelegate<Message>)? {
        side == .client ? connections[Int(id.index)].client.delegate : connections[Int(id.index)].server.delegate
    }

    @inline(__always)
    func losesNextMessage(_ id: ConnectionID, _ side: ConnectionSide) -> FaultInstanceID? {
        side == .client
            ? connections[Int(id.index)].client.losesNextMessage : connections[Int(id.index)].server.losesNextMessage
    }

    @inline(__always)
    func isCut(_ id: ConnectionID) -> Bool { connections[Int(id.index)].isCut }

    /// Whether the head of what `side` has sent is there, due, and not held up.
    @inline(__always)
    func isDue(_ id: ConnectionID, _ side: ConnectionSide, at now: Instant) -> Bool {
        side == .client
            ? connections[Int(id.index)].flows.0.isDue(at: now) : connections[Int(id.index)].flows.1.isDue(at: now)
    }

    /// What `side` has sent.
    func flow(_ id: ConnectionID, _ side: ConnectionSide) -> Flow {
        side == .client ? connections[Int(id.index)].flows.0 : connections[Int(id.index)].flows.1
    }

    @inline(__always)
    mutating func withFlow<Result>(
        _ id: ConnectionID, _ side: ConnectionSide, _ body: (inout Flow) -> Result
    ) -> Result {
        side == .client ? body(&connections[Int(id.index)].flows.0) : body(&connections[Int(id.index)].flows.1)
    }

    /// Appends to what `side` has sent, and says when it is due.
    @inline(__always)
    mutating func append(
        _ message: consuming Message?, _ id: ConnectionID, _ side: ConnectionSide, dueAt planned: Instant
    ) -> Instant {
        side == .client
            ? connections[Int(id.index)].flows.0.append(message, dueAt: planned)
            : connections[Int(id.index)].flows.1.append(message, dueAt: planned)
    }

    func end(_ id: ConnectionID, _ side: ConnectionSide) -> End {
        side == .client ? connections[Int(id.index)].client : connections[Int(id.index)].server
    }

    mutating func setCrashed(_ id: ConnectionID, _ side: ConnectionSide) {
        if side == .client {
            connections[Int(id.index)].client.hasCrashed = true
        } else {
            connections[Int(id.index)].server.hasCrashed = true
        }
    }

    mutating func setState(_ id: ConnectionID, _ side: ConnectionSide, _ state: EndState) {
        if side == .client {
            connections[Int(id.index)].client.state = state
        } else {
            connections[Int(id.index)].server.state = state
        }
    }
}
