import Ports
import SimCore
import Synchronization

/// The way of requests from outside to the handler of a simulated process, and of answers back.
///
/// Outside, it is a handler like any other, for tasks of Swift's pool. Inside, the process takes the requests from a queue
/// and answers them on the simulation's own executor.
final class OutsideRequests: HTTPHandler {
    private let simulation: Simulation
    private let pacemaker: WallClockPacemaker
    private let queue: WorkQueue<OutsideExchange>

    init(_ simulation: Simulation, _ pacemaker: WallClockPacemaker) {
        self.simulation = simulation
        self.pacemaker = pacemaker
        queue = WorkQueue(simulation)
    }

    // MARK: Outside

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        await withCheckedContinuation { continuation in
            let exchange = OutsideExchange(request, continuation)
            if !pacemaker.submit({ self.queue.put(exchange) }) { exchange.refuse() }
        }
    }

    // MARK: Inside

    /// Answers requests with `handler` until the process ends.
    func serve(_ context: ProcessContext, _ handler: any HTTPHandler) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let exchange = try await queue.take(context)
                group.addTask { await self.answer(exchange, context, handler) }
            }
        }
    }

    private func answer(_ exchange: OutsideExchange, _ context: ProcessContext, _ handler: any HTTPHandler) async {
        // A process that ends leaves nobody waiting.
        defer { exchange.refuse() }
        let response = await handler.respond(to: exchange.request)
        guard case .events(let write) = response.body else { return exchange.answer(response) }
        let pipe = EventPipe(simulation, pacemaker)
        exchange.answer(
            HTTPResponse(response.status, headers: response.headers, body: .events { try await pipe.drain(into: $0) }))
        defer { pipe.finish() }
        try? await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await write(PipeSink(pipe: pipe, context: context)) }
            group.addTask { try await pipe.waitUntilClosed(context) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private struct PipeSink: ServerSentEventSink {
        let pipe: EventPipe
        let context: ProcessContext

        func send(_ event: ServerSentEvent) async throws {
            while pipe.isFull { try await context.sleep(for: .milliseconds(10)) }
            try pipe.put(event)
        }
    }
}

/// One request from outside, answered once.
final class OutsideExchange: Sendable {
    let request: HTTPRequest
    private let continuation: Mutex<CheckedContinuation<HTTPResponse, Never>?>

    init(_ request: HTTPRequest, _ continuation: CheckedContinuation<HTTPResponse, Never>) {
        self.request = request
        self.continuation = Mutex(continuation)
    }

    func answer(_ response: HTTPResponse) { continuation.withLock { $0.take() }?.resume(returning: response) }

    /// Answers that the service is not there, unless it was answered.
    func refuse() {
        answer(ProblemDocument(503, "Service Unavailable", detail: "the service is stopping").response)
    }
}

/// Events on their way out of the simulation.
final class EventPipe: Sendable {
    private struct State {
        var events: [ServerSentEvent] = []
        /// The writer, inside, is done.
        var isFinished = false
        /// The reader, outside, is gone.
        var isClosed = false
        var reader: CheckedContinuation<Void, Never>?
        var closeWaiter: WaiterID?
    }

    /// Events that wait for a slow reader before the writer waits, too.
    private static let capacity = 256

    private let simulation: Simulation
    private let pacemaker: WallClockPacemaker
    private let state = Mutex(State())

    init(_ simulation: Simulation, _ pacemaker: WallClockPacemaker) {
        self.simulation = simulation
        self.pacemaker = pacemaker
    }

    // MARK: Inside

    var isFull: Bool { state.withLock { !$0.isClosed && $0.events.count >= Self.capacity } }

    func put(_ event: ServerSentEvent) throws {
        let (isClosed, reader) = state.withLock { state in
            if !state.isClosed { state.events.append(event) }
            return (state.isClosed, state.reader.take())
        }
        reader?.resume()
        if isClosed { throw HTTPError.connectionReset("the client of the event stream is gone") }
    }

    func finish() {
        state.withLock { state in
            state.isFinished = true
            return state.reader.take()
        }?.resume()
    }

    func waitUntilClosed(_ context: ProcessContext) async throws {
        let waiter = simulation.makeWaiter(context, WaitReason("the end of an event stream"))
        let isClosed = state.withLock { state in
            state.closeWaiter = waiter
            return state.isClosed
        }
        if isClosed { simulation.wake(waiter) }
        try await simulation.wait(waiter)
    }

    // MARK: Outside

    /// Sends events until the writer is done.
    func drain(into sink: any ServerSentEventSink) async throws {
        defer { close() }
        while let event = try await next() { try await sink.send(event) }
    }

    private func next() async throws -> ServerSentEvent? {
        while true {
            try Task.checkCancellation()
            let (event, isFinished) = state.withLock { state in
                (state.events.isEmpty ? nil : state.events.removeFirst(), state.isFinished)
            }
            if let event { return event }
            if isFinished { return nil }
            await pause()
        }
    }

    private func pause() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard state.events.isEmpty, !state.isFinished, !Task.isCancelled else { return false }
                    state.reader = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.reader.take() }?.resume()
        }
    }

    private func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            return state.closeWaiter.take()
        }
        let simulation = simulation
        if let waiter { _ = pacemaker.submit { simulation.wake(waiter) } }
    }
}
