import Ports

/// What a client object's calls wait for, its connections and its timers: the shell around a client's state machine.
final class KafkaClientHost<Machine: ~Copyable>: EventHandler {
    let simulation: Simulation
    let context: ProcessContext
    /// Not checked for exclusive access at run time, as all that follows: a call of the machine never leads back here.
    @exclusivity(unchecked) var machine: Machine
    private let connections: KafkaConnections
    @exclusivity(unchecked) private var handler: HandlerID!
    private let step: (inout Machine, ClientEvent, Instant, inout [ClientEffect]) -> Void
    @exclusivity(unchecked) private var nextCall: Int64 = 0
    /// Calls under way: a client object has a handful.
    @exclusivity(unchecked) private var calls: ContiguousArray<Call> = []
    /// Callbacks that the polling task is to run, in order.
    @exclusivity(unchecked) private(set) var callbacks: ContiguousArray<(RebalanceCallback, [TopicPartition])> = []
    @exclusivity(unchecked) private var isOver = false
    @exclusivity(unchecked) private var closing: Closing?

    private struct Call {
        let id: CallID
        /// When a call of the closing is given up; `nil` for all others, whose time the machine knows.
        let givenUpAt: Instant?
        var waiter: WaiterID?
        var result: ClientResult?
    }

    /// How a client ends, as the production adapter lets it end. What belongs to it is waited for even by a cancelled task:
    /// otherwise a member that is stopped would not give its partitions back.
    private struct Closing {
        /// The closing has begun with the call after this one; it and those that follow belong to it.
        let lastCallBefore: Int64
        let deadline: Instant
        /// How long a call in a callback of the closing may take.
        let callTimeout: Nanoseconds
    }

    init(
        _ cluster: SimulatedKafkaCluster, context: ProcessContext, machine: consuming Machine,
        step: @escaping (inout Machine, ClientEvent, Instant, inout [ClientEffect]) -> Void
    ) {
        simulation = cluster.simulation
        self.context = context
        self.machine = machine
        self.step = step
        connections = KafkaConnections(cluster, process: context.process)
        handler = simulation.register(self, process: context.process)
        connections.received = { [unowned self] in handle(.response(from: $0, $1, $2)) }
        connections.failed = { [unowned self] node, channel, wasOpen in
            handle(wasOpen ? .connectionFailed(node, channel) : .connectionRefused(node, channel))
        }
    }

    // MARK: Calls

    /// Begins a call and waits for its result.
    ///
    /// - Throws: ``Ports/EventLogError``, ``Ports/ProcessStopped``, `CancellationError`.
    func call(
        _ reason: WaitReason, _ begin: (inout Machine, CallID, Instant, inout [ClientEffect]) -> Void
    ) async throws -> ClientResult {
        try await finish(start(begin), reason)
    }

    /// Begins a call.
    func start(_ begin: (inout Machine, CallID, Instant, inout [ClientEffect]) -> Void) throws -> CallID {
        try requireOpen()
        nextCall += 1
        let id = CallID(nextCall)
        calls.append(Call(id: id, givenUpAt: closing.map { giveUpTime($0) }))
        run { begin(&machine, id, simulation.now, &$0) }
        return id
    }

    /// - Throws: ``Ports/ProcessStopped``, and the refusal of a client that was closed.
    func requireOpen() throws {
        try context.checkAlive()
        if isOver { throw EventLogError.refused("this client is closed; open another") }
    }

    private func giveUpTime(_ closing: Closing) -> Instant {
        let isTheClosing = nextCall == closing.lastCallBefore + 1
        return isTheClosing ? closing.deadline : simulation.now + closing.callTimeout
    }

    /// Waits for the result of a call.
    func finish(_ id: CallID, _ reason: WaitReason) async throws -> ClientResult {
        while true {
            if let result = takeResult(of: id) {
                if case .failed(let error) = result { throw error }
                return result
            }
            try await pause(id, reason)
        }
    }

    /// The result of a call, once.
    func takeResult(of id: CallID) -> ClientResult? {
        guard let index = calls.firstIndex(where: { $0.id == id }), let result = calls[index].result else { return nil }
        calls.remove(at: index)
        return result
    }

    /// Waits until the call has a result, or a callback is to be run.
    func pause(_ id: CallID, _ reason: WaitReason) async throws {
        guard let index = calls.firstIndex(where: { $0.id == id }) else {
            preconditionFailure("a call is waited for twice")
        }
        let waiter = simulation.makeWaiter(context, reason, deadline: calls[index].givenUpAt)
        let isOfClosing = calls[index].givenUpAt != nil
        calls[index].waiter = waiter
        do {
            if !isOfClosing {
                try await simulation.wait(waiter)
            } else if try await !simulation.waitThroughCancellation(waiter) {
                throw EventLogError(
                    .requestTimedOut, "the client is being closed, and \(reason.description) took too long",
                    outcome: .unknown)
            }
        } catch {
            calls.removeAll { $0.id == id }
            throw error
        }
    }

    func takeCallback() -> (RebalanceCallback, [TopicPartition])? {
        callbacks.isEmpty ? nil : callbacks.removeFirst()
    }

    /// Changes the machine and carries out what it wants.
    func run(_ body: (inout [ClientEffect]) -> Void) {
        var effects: [ClientEffect] = []
        body(&effects)
        for effect in effects { perform(effect) }
    }

    /// Begins the client's end: the next call is the one that closes it.
    ///
    /// - Returns: false when somebody else has begun it; then there is nothing to do.
    func beginClosing(within limit: Nanoseconds, callTimeout: Nanoseconds) -> Bool {
        guard context.isAlive, closing == nil, !isOver else { return false }
        closing = Closing(lastCallBefore: nextCall, deadline: simulation.now + limit, callTimeout: callTimeout)
        return true
    }

    /// Closes the connections: nothing comes back any more, and what others wait for ends here.
    func shutDown() {
        isOver = true
        connections.closeAll()
        for index in calls.indices where calls[index].result == nil {
            calls[index].result = .failed(
                EventLogError(.wrongState, "the client was closed before the answer came", outcome: .unknown))
            wake(index)
        }
    }

    // MARK: Events

    func handle(_ event: KernelEvent) { handle(.timerFired) }
    func describe(_ event: KernelEvent) -> String { "Kafka client timer" }

    private func handle(_ event: ClientEvent) {
        guard context.isAlive, !isOver else { return }
        run { step(&machine, event, simulation.now, &$0) }
    }

    private func perform(_ effect: ClientEffect) {
        switch effect {
        case .request(let node, let channel, let request): connections.send(request, to: node, channel)
        case .disconnect(let node, let channel): connections.disconnect(node, channel)
        case .setTimer(let time): simulation.schedule(at: time, handler, code: 1)
        case .complete(let id, let result):
            guard let index = calls.firstIndex(where: { $0.id == id }) else { return }
            calls[index].result = result
            wake(index)
        case .callback(let kind, let partitions):
            callbacks.append((kind, partitions))
            // Whatever is under way learns of it: a poll or a close runs it.
            for index in calls.indices { wake(index) }
        }
    }

    private func wake(_ index: Int) {
        guard let waiter = calls[index].waiter else { return }
        calls[index].waiter = nil
        simulation.wake(waiter)
    }
}
