import Ports

/// The part that every client has: connections to brokers, and metadata that is asked for when it is needed, old or wrong.
///
/// `Context` is what the client wants to know of its own requests when they are answered.
struct ClientNetwork<Context: Sendable>: ~Copyable, Sendable {
    enum RequestContext: Sendable {
        case metadata
        case own(Context)
    }

    /// What an event meant for the client.
    enum Incoming: Sendable {
        case none
        case metadataChanged
        case answered(Context, KafkaResponseBody)
        /// These requests will not be answered.
        case failed([Context], KafkaErrorCode)
    }

    let settings: ClientNetworkSettings
    /// Brokers to begin with.
    let bootstrap: [NodeID]
    private(set) var metadata = ClusterMetadata()
    private var channels: RequestChannels<RequestContext>
    private var wakeUp = WakeUp()
    private var needsMetadata = true
    private var isAskingForMetadata = false
    private var askForMetadataAt: Instant?
    private var metadataAskedOf = 0
    /// `metadata.max.age.ms` after the last answer.
    private var nextRefreshAt: Instant?

    init(bootstrap: [NodeID], settings: ClientNetworkSettings) {
        precondition(!bootstrap.isEmpty, "a client needs a broker to begin with (bootstrap.servers)")
        self.bootstrap = bootstrap
        self.settings = settings
        channels = RequestChannels(
            backoff: settings.reconnectBackoff, backoffMaximum: settings.reconnectBackoffMaximum)
    }

    // MARK: Sending

    mutating func send(
        _ body: KafkaRequestBody, to node: NodeID, _ channel: Channel, _ context: Context, now: Instant,
        timeout: Nanoseconds? = nil, effects: inout [ClientEffect]
    ) {
        let deadline = now + (timeout ?? settings.requestTimeout)
        let request = channels.send(body, to: node, channel, context: .own(context), deadline: deadline)
        effects.append(.request(to: node, channel, request))
        arm(deadline, effects: &effects)
    }

    /// Sends a request that gets no answer (acks=0).
    mutating func sendUnanswered(
        _ body: KafkaRequestBody, to node: NodeID, _ channel: Channel, effects: inout [ClientEffect]
    ) {
        effects.append(.request(to: node, channel, KafkaRequest(correlation: -1, body: body)))
    }

    func inFlightCount(_ node: NodeID, _ channel: Channel) -> Int { channels.inFlightCount(node, channel) }

    /// Whether a request may be sent there now; otherwise the client is woken when it may.
    mutating func isReady(_ node: NodeID, _ channel: Channel, now: Instant, effects: inout [ClientEffect]) -> Bool {
        guard let until = channels.blockedUntil(node, channel, now: now) else { return true }
        arm(until, effects: &effects)
        return false
    }

    @inline(__always) mutating func arm(_ deadline: Instant, effects: inout [ClientEffect]) {
        if wakeUp.arm(deadline) { effects.append(.setTimer(at: deadline)) }
    }

    // MARK: Metadata

    /// Something showed that the metadata is not what it is any more.
    mutating func requestMetadata() { needsMetadata = true }

    /// Asks for metadata when that is due. Called at the end of every event.
    mutating func settle(now: Instant, effects: inout [ClientEffect]) {
        guard needsMetadata, !isAskingForMetadata else { return }
        if let at = askForMetadataAt, at > now { return arm(at, effects: &effects) }
        guard let node = nextMetadataNode(now: now) else {
            return arm(now + settings.reconnectBackoff, effects: &effects)
        }
        isAskingForMetadata = true
        let deadline = now + settings.requestTimeout
        let request = channels.send(.metadata, to: node, .metadata, context: .metadata, deadline: deadline)
        effects.append(.request(to: node, .metadata, request))
        arm(deadline, effects: &effects)
    }

    private mutating func nextMetadataNode(now: Instant) -> NodeID? {
        for _ in bootstrap.indices {
            let node = bootstrap[metadataAskedOf % bootstrap.count]
            if channels.blockedUntil(node, .metadata, now: now) == nil { return node }
            metadataAskedOf += 1
        }
        return nil
    }

    // MARK: Events

    mutating func handle(_ event: ClientEvent, now: Instant, effects: inout [ClientEffect]) -> [Incoming] {
        switch event {
        case .response(let node, let channel, let response):
            switch channels.receive(response, from: node, channel) {
            case nil: return []
            case .own(let context)?: return [.answered(context, response.body)]
            case .metadata?: return [receivedMetadata(response.body, now: now, effects: &effects)]
            }
        case .connectionFailed(let node, let channel):
            return fail(node, channel, .transport, now: now)
        case .connectionRefused(let node, let channel):
            return fail(node, channel, .brokerNotAvailable, now: now)
        case .timerFired:
            wakeUp.fired(now: now)
            var incoming: [Incoming] = []
            for (node, channel) in channels.overdue(now: now) {
                effects.append(.disconnect(node, channel))
                incoming += fail(node, channel, .requestTimedOutLocally, now: now)
            }
            return incoming
        }
    }

    private mutating func fail(
        _ node: NodeID, _ channel: Channel, _ error: KafkaErrorCode, now: Instant
    ) -> [Incoming] {
        var lost: [Context] = []
        for context in channels.failed(node, channel, now: now) {
            switch context {
            case .own(let own): lost.append(own)
            case .metadata:
                isAskingForMetadata = false
                metadataAskedOf += 1
                askForMetadataAt = now + settings.retryBackoff
            }
        }
        needsMetadata = true
        return lost.isEmpty ? [] : [.failed(lost, error)]
    }

    private mutating func receivedMetadata(
        _ body: KafkaResponseBody, now: Instant, effects: inout [ClientEffect]
    ) -> Incoming {
        guard case .metadata(let newer) = body else { preconditionFailure("not an answer to Metadata: \(body)") }
        isAskingForMetadata = false
        needsMetadata = false
        // If this was not enough, the next request comes after the backoff, to another broker: this one may lag behind.
        metadataAskedOf += 1
        askForMetadataAt = now + settings.retryBackoff
        nextRefreshAt = now + settings.metadataMaximumAge
        guard newer.version >= metadata.version else { return .metadataChanged }
        metadata = newer
        return .metadataChanged
    }

    /// Arms the wake-up for the earliest of the client's deadlines and of the network's own.
    mutating func rearm(_ deadlines: EarliestDeadline, effects: inout [ClientEffect]) {
        var earliest = deadlines
        channels.collectDeadlines(into: &earliest)
        if needsMetadata, !isAskingForMetadata { earliest.consider(askForMetadataAt) }
        if let at = nextRefreshAt, at <= earliest.now { needsMetadata = true } else { earliest.consider(nextRefreshAt) }
        if let deadline = earliest.deadline { arm(deadline, effects: &effects) }
    }

    mutating func removeAll() { channels.removeAll() }
}
