import Ports

/// The server's side: requests queue for workers, which answer them on their connections.
final class HTTPServerEnd: ConnectionDelegate, @unchecked Sendable {
    private struct Request {
        let connection: ConnectionID
        let request: HTTPRequest
    }

    private let http: SimulatedHTTP
    private let context: ProcessContext
    private let limits: HTTPEdgeLimits
    // Not checked for exclusive access at run time: no access spans a call of foreign code.
    @exclusivity(unchecked) private var queue = FIFOQueue<Request>()
    @exclusivity(unchecked) private var idleWorkers: ContiguousArray<WaiterID> = []
    @exclusivity(unchecked) private var demand: WaiterID?
    /// Workers asked for and not yet started.
    @exclusivity(unchecked) private var wantedWorkers = 0
    /// Workers that have ended, and whose tasks their group keeps until they are taken from it.
    @exclusivity(unchecked) private var endedWorkers = 0
    /// Tasks that write event streams, and which of their connections have ended since, with the time.
    private var streams: [ConnectionID: UnsafeCurrentTask] = [:]
    private var endedStreams: ContiguousArray<(connection: ConnectionID, at: Instant)> = []

    /// How long a stream whose client is gone may take to find out by itself, as most do with the next event that they send.
    /// Cancelling its task costs the task.
    private static let streamEndDelay = Nanoseconds.seconds(1)

    init(_ http: SimulatedHTTP, context: ProcessContext, limits: HTTPEdgeLimits) {
        self.http = http
        self.context = context
        self.limits = limits
    }

    // MARK: Connections

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        let now = http.simulation.now
        if streams[connection] != nil { endedStreams.append((connection, now)) }
        var overdueCount = 0
        while overdueCount < endedStreams.count, endedStreams[overdueCount].at + Self.streamEndDelay <= now {
            // As the real servers do: a handler that waits for something to send would never know otherwise.
            streams[endedStreams[overdueCount].connection]?.cancel()
            overdueCount += 1
        }
        endedStreams.removeFirst(overdueCount)
    }

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming HTTPWireMessage) {
        guard case .request(let request) = message else {
            preconditionFailure("a client sent \(message.description), which is no request")
        }
        queue.append(Request(connection: connection, request: request))
        while let worker = idleWorkers.popLast() {
            if http.simulation.wake(worker) { return }
        }
        wantedWorkers += 1
        if let demand {
            self.demand = nil
            http.simulation.wake(demand)
        }
    }

    // MARK: Workers

    /// Waits until a request finds no idle worker.
    func waitForDemand() async throws {
        while wantedWorkers == 0 {
            try await context.requireAlive()
            let waiter = http.simulation.makeWaiter(context, WaitReason("requests"))
            demand = waiter
            try await http.simulation.wait(waiter)
        }
        wantedWorkers -= 1
    }

    /// Answers requests, one after another, until the process ends.
    func work(_ handler: any HTTPHandler) async throws {
        context.declareUncancellable()
        while true {
            guard let request = queue.popFirst() else {
                try await context.requireAlive()
                let waiter = http.simulation.makeWaiter(context, WaitReason("a request"))
                idleWorkers.append(waiter)
                try await http.simulation.wait(waiter)
                continue
            }
            if let refusal = limits.refusal(of: request.request) {
                await answer(refusal.response, on: request.connection)
                continue
            }
            let response = await handler.respond(to: request.request)
            guard context.isAlive else { throw ProcessStopped(process: context.name) }
            await answer(response, on: request.connection)
            // A task whose stream was cancelled stays cancelled, and is of no use for another request.
            if Task.isCancelled {
                endedWorkers += 1
                return
            }
        }
    }

    /// How many workers have ended since the last call.
    func takeEndedWorkers() -> Int {
        defer { endedWorkers = 0 }
        return endedWorkers
    }

    private func answer(_ response: HTTPResponse, on connection: ConnectionID) async {
        guard case .events(let write) = response.body else {
            http.transport.send(.response(response), on: connection, from: .server)
            return
        }
        http.transport.send(
            .streamOpened(status: response.status, headers: response.headers), on: connection, from: .server)
        do {
            try await withUnsafeCurrentTask { task in
                streams[connection] = task
                defer { streams[connection] = nil }
                try await write(Sink(http: http, context: context, connection: connection))
            }
            http.transport.send(.streamEnded, on: connection, from: .server)
        } catch {
            // The client is gone or the process has ended; either way nobody listens.
            http.transport.close(connection, side: .server)
        }
    }

    /// Sends a handler's events to the client of one connection.
    private struct Sink: ServerSentEventSink {
        let http: SimulatedHTTP
        let context: ProcessContext
        let connection: ConnectionID

        func send(_ event: ServerSentEvent) async throws {
            try await context.requireAlive()
            guard http.transport.send(.event(event), on: connection, from: .server) else {
                throw HTTPError.connectionReset("the client of the event stream is gone")
            }
        }
    }
}
