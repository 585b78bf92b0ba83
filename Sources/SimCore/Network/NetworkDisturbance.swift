public import Ports

/// A set of processes, by number.
public struct ProcessSet: Hashable, Sendable {
    private var words: [UInt64] = []

    /// A set of these processes.
    public init(_ members: some Sequence<ProcessID>) {
        for member in members { insert(member) }
    }

    /// Adds a process; no effect when it is in the set.
    public mutating func insert(_ process: ProcessID) {
        let word = Int(process.index >> 6)
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(process.index & 63)
    }

    /// Whether the process is in the set. Constant time.
    @inline(__always) public func contains(_ process: ProcessID) -> Bool {
        let word = Int(process.index >> 6)
        return word < words.count && words[word] >> UInt64(process.index & 63) & 1 == 1
    }
}

/// Something that a fault does to the messages from some processes to others while it lasts.
public struct NetworkDisturbance: Sendable {
    /// What happens to a message that it concerns.
    public enum Effect: Sendable {
        /// Nothing gets through: a partition (two of them, one each way, for a two-way one).
        case block
        /// Messages pile up and all arrive, in order, when it ends: a clog.
        case hold
        /// A datagram is lost that often; a segment of a connection is sent again after the retransmission timeout.
        case lose(Probability)
        /// A datagram arrives twice that often. Connections hide it.
        case duplicate(Probability)
        /// A datagram is held back that often, by up to `delay`, so that later ones overtake it. Connections hide it.
        case reorder(Probability, delay: Nanoseconds)
        /// Latency times `factor`: a slow node or link.
        case slow(factor: Int64)
    }

    /// Senders whose messages it concerns.
    public var from: ProcessSet
    /// Receivers whose messages it concerns.
    public var to: ProcessSet
    /// What happens to them.
    public var effect: Effect
    /// Which scheduled fault it belongs to; its efficacy is counted there.
    public var fault: FaultInstanceID
    /// What its decisions are named after; the number of the fault when nothing else was given.
    public var decisionEntity: String

    /// A disturbance that is yet to be installed with ``SimulatedNetwork/disturb(_:)``.
    public init(
        from: ProcessSet, to: ProcessSet, effect: Effect, fault: FaultInstanceID, decisionEntity: String? = nil
    ) {
        self.from = from
        self.to = to
        self.effect = effect
        self.fault = fault
        self.decisionEntity = decisionEntity ?? "\(fault.rawValue)"
    }
}

/// Names an installed disturbance, to take it away again.
public struct NetworkDisturbanceID: Hashable, Sendable {
    let rawValue: UInt64
}
