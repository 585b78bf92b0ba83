package import Ports

/// The active controller of a KRaft cluster: registers brokers, notices the silent ones, elects leaders, and keeps the
/// metadata log that brokers follow.
///
/// One node stands for the quorum: its metadata survives a crash, and while it is away there are no elections, no ISR
/// changes, no new topics and no new blocks of producer ids, as when a quorum has lost its majority.
package struct Controller: ~Copyable, Sendable {
    /// What the controller knows of a broker beyond the metadata log; lost when it fails over.
    struct Contact: Sendable {
        let broker: NodeID
        var lastHeardOf: Instant
        var metadataVersion: Int64
    }

    /// A broker's fetch of the metadata log that waits for news.
    struct WaitingFetch: Sendable {
        let connection: KafkaConnectionID
        let correlation: Int32
        let deadline: Instant
    }

    package let settings: ClusterSettings
    package internal(set) var metadata = ClusterMetadata()
    var contacts: [Contact] = []
    var waitingFetches: [WaitingFetch] = []
    var nextProducerID: Int64 = 0
    var nextBrokerEpoch: Int64 = 0
    var nextRebalanceAt: Instant?
    package private(set) var isRunning = false
    /// Counts elections in which a replica outside the ISR became leader.
    package internal(set) var uncleanElectionCount = 0
    /// Replicas that have left an ISR because they fell behind, since they were last taken: for whoever watches from outside.
    var laggards: [NodeID] = []

    private var wakeUp = WakeUp()
    var hasChanged = false

    package init(settings: ClusterSettings) { self.settings = settings }

    /// Handles one event. `effects` grows by what is to be done, in order.
    package mutating func handle(_ event: NodeEvent, now: Instant, effects: inout [NodeEffect]) {
        switch event {
        case .started:
            isRunning = true
            // A new active controller gives every broker a fresh session.
            contacts = metadata.brokers.map { Contact(broker: $0.id, lastHeardOf: now, metadataVersion: -1) }
            nextRebalanceAt = settings.leaderRebalanceInterval.map { now + $0 }
        case .stopped:
            isRunning = false
            waitingFetches.removeAll()
            wakeUp = WakeUp()
            return
        case .request(let connection, let request):
            guard isRunning else { return }
            handle(request, from: connection, now: now, effects: &effects)
        case .connectionClosed(let connection):
            waitingFetches.removeAll { $0.connection == connection }
        case .timerFired:
            guard isRunning else { return }
            wakeUp.fired(now: now)
            fenceSilentBrokers(now: now)
            rebalanceLeaders(now: now)
            expireWaitingFetches(now: now, effects: &effects)
        case .shutdownRequested:
            effects.append(.halt(isClean: true))
        case .storageFailed:
            effects.append(.halt(isClean: false))
        case .response, .connectionFailed:
            break
        }
        publish(effects: &effects)
        if let deadline = nextDeadline(after: now), wakeUp.arm(deadline) { effects.append(.setTimer(at: deadline)) }
    }

    private func nextDeadline(after now: Instant) -> Instant? {
        var earliest = EarliestDeadline(after: now)
        earliest.consider(nextRebalanceAt)
        for contact in contacts where metadata.broker(contact.broker)?.isFenced == false {
            earliest.consider(contact.lastHeardOf + settings.brokerSessionTimeout)
        }
        for fetch in waitingFetches { earliest.consider(fetch.deadline) }
        return earliest.deadline
    }

    /// Ends an event in which the metadata changed: a new version, which waiting brokers get at once.
    mutating func publish(effects: inout [NodeEffect]) {
        guard hasChanged else { return }
        hasChanged = false
        metadata.version += 1
        for fetch in waitingFetches {
            effects.append(
                .respond(
                    to: fetch.connection,
                    KafkaResponse(correlation: fetch.correlation, body: .fetchMetadata(metadata))))
        }
        waitingFetches.removeAll(keepingCapacity: true)
    }

    private mutating func expireWaitingFetches(now: Instant, effects: inout [NodeEffect]) {
        for fetch in waitingFetches where fetch.deadline <= now {
            effects.append(
                .respond(
                    to: fetch.connection, KafkaResponse(correlation: fetch.correlation, body: .fetchMetadata(nil))))
        }
        waitingFetches.removeAll { $0.deadline <= now }
    }

    private mutating func handle(
        _ request: KafkaRequest, from connection: KafkaConnectionID, now: Instant, effects: inout [NodeEffect]
    ) {
        let body: KafkaResponseBody
        switch request.body {
        case .registerBroker(let registration):
            body = register(registration, now: now)
        case .brokerHeartbeat(let heartbeat):
            body = .brokerHeartbeat(answer(heartbeat, now: now))
        case .fetchMetadata(_, let version):
            guard version >= metadata.version, !hasChanged else {
                body = .fetchMetadata(metadata)
                break
            }
            waitingFetches.append(
                WaitingFetch(
                    connection: connection, correlation: request.correlation,
                    deadline: now + settings.metadataFetchMaximumWait))
            return
        case .alterPartition(let request):
            body = alterPartitions(request)
        case .createTopic(let request):
            body = .createTopic(createTopic(request))
        case .electLeader(let partition, let kind):
            body = .electLeader(electLeader(of: partition, kind))
        case .allocateProducerIDs(let broker, let brokerEpoch):
            guard metadata.broker(broker)?.epoch == brokerEpoch else {
                body = .allocateProducerIDs(.staleBrokerEpoch, first: -1, count: 0)
                break
            }
            // Blocks of 1,000 (ProducerIdsBlock).
            body = .allocateProducerIDs(.none, first: nextProducerID, count: 1_000)
            nextProducerID += 1_000
        default:
            preconditionFailure("the controller does not serve this request: \(request.body)")
        }
        effects.append(.respond(to: connection, KafkaResponse(correlation: request.correlation, body: body)))
    }
}
