import Ports

/// The connections that a node opens to others, as Kafka's NetworkClient keeps them: what is under way on each, until when
/// an answer is waited for, and when a failed connection may be tried again.
///
/// `Context` is what the owner wants to know of a request when its answer comes, or does not.
struct RequestChannels<Context: Sendable>: ~Copyable, Sendable {
    private struct InFlight: Sendable {
        let correlation: Int32
        let deadline: Instant
        let context: Context
    }

    private struct Peer: Sendable {
        let node: NodeID
        let channel: Channel
        /// In the order in which they were sent, which is the order of the answers.
        var inFlight: [InFlight] = []
        /// No new request before then: the connection failed lately.
        var blockedUntil: Instant?
        var failureCount = 0
    }

    private var peers: [Peer] = []
    private var nextCorrelation: Int32 = 0
    private let backoff: Nanoseconds
    private let backoffMaximum: Nanoseconds

    init(backoff: Nanoseconds, backoffMaximum: Nanoseconds) {
        self.backoff = backoff
        self.backoffMaximum = backoffMaximum
    }

    @inline(__always) private func index(_ node: NodeID, _ channel: Channel) -> Int? {
        peers.firstIndex { $0.node == node && $0.channel == channel }
    }

    /// Notes a request as under way and numbers it.
    mutating func send(
        _ body: KafkaRequestBody, to node: NodeID, _ channel: Channel, context: Context, deadline: Instant
    ) -> KafkaRequest {
        let index: Int
        if let known = self.index(node, channel) {
            index = known
        } else {
            index = peers.count
            peers.append(Peer(node: node, channel: channel))
        }
        let correlation = nextCorrelation
        nextCorrelation &+= 1
        peers[index].inFlight.append(InFlight(correlation: correlation, deadline: deadline, context: context))
        return KafkaRequest(correlation: correlation, body: body)
    }

    /// When the next request may be sent there, if not at once.
    func blockedUntil(_ node: NodeID, _ channel: Channel, now: Instant) -> Instant? {
        guard let index = index(node, channel), let until = peers[index].blockedUntil, until > now else { return nil }
        return until
    }

    func inFlightCount(_ node: NodeID, _ channel: Channel) -> Int {
        index(node, channel).map { peers[$0].inFlight.count } ?? 0
    }

    var hasInFlight: Bool { peers.contains { !$0.inFlight.isEmpty } }

    /// The context of the request that is answered; `nil` when nobody waits for it any more.
    mutating func receive(_ response: KafkaResponse, from node: NodeID, _ channel: Channel) -> Context? {
        guard let index = index(node, channel), let first = peers[index].inFlight.first,
            first.correlation == response.correlation
        else { return nil }
        peers[index].inFlight.removeFirst()
        peers[index].blockedUntil = nil
        peers[index].failureCount = 0
        return first.context
    }

    /// The connection is gone. Returns what was under way on it, in order.
    mutating func failed(_ node: NodeID, _ channel: Channel, now: Instant) -> [Context] {
        guard let index = index(node, channel) else { return [] }
        let lost = peers[index].inFlight.map(\.context)
        peers[index].inFlight.removeAll(keepingCapacity: true)
        let wait = min(backoff.rawValue << Int64(min(peers[index].failureCount, 20)), backoffMaximum.rawValue)
        peers[index].failureCount += 1
        peers[index].blockedUntil = now + Nanoseconds(wait)
        return lost
    }

    /// The connections on which an answer is overdue: the owner closes them, as a Java client does.
    func overdue(now: Instant) -> [(node: NodeID, channel: Channel)] {
        var overdue: [(node: NodeID, channel: Channel)] = []
        for peer in peers where peer.inFlight.contains(where: { $0.deadline <= now }) {
            overdue.append((peer.node, peer.channel))
        }
        return overdue
    }

    /// When answers are overdue, and blocks end.
    func collectDeadlines(into earliest: inout EarliestDeadline) {
        for peer in peers {
            for request in peer.inFlight { earliest.consider(request.deadline) }
            earliest.consider(peer.blockedUntil)
        }
    }

    mutating func removeAll() {
        for index in peers.indices {
            peers[index].inFlight.removeAll()
            peers[index].blockedUntil = nil
            peers[index].failureCount = 0
        }
    }
}
