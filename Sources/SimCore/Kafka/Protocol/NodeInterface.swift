package import Ports

/// What happens to a broker or the controller.
package enum NodeEvent: Sendable {
    /// The process starts. Its logs are what the shell left of them; see ``Broker/loseUnflushedTail(of:from:)``.
    case started(incarnation: Int64)
    /// The process has died. Memory is gone, disks stay.
    case stopped
    /// An orderly stop is wanted: leadership moves away first.
    case shutdownRequested
    case request(from: KafkaConnectionID, KafkaRequest)
    /// A connection that this node accepted is gone.
    case connectionClosed(KafkaConnectionID)
    case response(from: NodeID, Channel, KafkaResponse)
    /// A connection that this node opened was refused, reset or timed out: what was under way on it has no answer.
    case connectionFailed(NodeID, Channel)
    case timerFired
    /// The log directory failed, or its disk is full.
    case storageFailed
}

/// What a broker or the controller wants done, in order.
package enum NodeEffect: Sendable {
    case request(to: NodeID, Channel, KafkaRequest)
    case respond(to: KafkaConnectionID, KafkaResponse)
    /// Closes a connection that it accepted.
    case close(KafkaConnectionID)
    /// Closes a connection that it opened; a later request opens another.
    case disconnect(NodeID, Channel)
    /// Wakes the node with ``NodeEvent/timerFired``. An earlier wake-up stays valid too.
    case setTimer(at: Instant)
    /// A segment was closed: its data should reach the disk. Reported by ``Broker/flushed(_:upTo:)``.
    case flush(PartitionID, upTo: Int64)
    /// The process ends: after a controlled shutdown (`isClean`), or because its storage failed.
    case halt(isClean: Bool)
}

/// The earliest of the deadlines after now: what is due now has just been seen to.
struct EarliestDeadline: Sendable {
    let now: Instant
    private(set) var deadline: Instant?

    init(after now: Instant) { self.now = now }

    mutating func consider(_ candidate: Instant?) {
        guard let candidate, candidate > now else { return }
        deadline = min(deadline ?? candidate, candidate)
    }
}

/// Remembers the earliest wake-up that was asked for, so that a machine keeps about one timer event in flight however many
/// deadlines it has.
struct WakeUp {
    private var armedAt: Instant?

    /// Makes sure that the machine is woken at `deadline` or earlier.
    mutating func arm(_ deadline: Instant) -> Bool {
        if let armedAt, armedAt <= deadline { return false }
        armedAt = deadline
        return true
    }

    /// The wake-up has come: nothing is armed any more.
    mutating func fired(now: Instant) {
        if let armedAt, armedAt <= now { self.armedAt = nil }
    }
}
