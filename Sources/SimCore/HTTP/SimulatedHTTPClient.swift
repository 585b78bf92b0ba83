import Ports

/// A client with a pool of kept-alive connections to one server.
final class SimulatedHTTPClient: HTTPClient, ConnectionDelegate, @unchecked Sendable {
    /// What one connection of the pool is in the middle of.
    private final class Exchange {
        var waiter: WaiterID?
        var inbox: ContiguousArray<HTTPWireMessage> = []
        var isOpen = false
        var end: ConnectionEnd?
    }

    private let http: SimulatedHTTP
    private let context: ProcessContext
    private let server: ProcessID
    @exclusivity(unchecked) private var exchanges: [ConnectionID: Exchange] = [:]
    @exclusivity(unchecked) private var idle: ContiguousArray<ConnectionID> = []

    init(_ http: SimulatedHTTP, context: ProcessContext, server: ProcessID) {
        self.http = http
        self.context = context
        self.server = server
    }

    func send(_ request: HTTPRequest, timeout: Nanoseconds) async throws -> HTTPResponse {
        try await context.requireAlive()
        let deadline = http.simulation.now + http.simulation.trueSpan(context, timeout)
        let (connection, exchange) = try await open(deadline, timeout)
        http.transport.send(.request(request), on: connection, from: .client)
        switch try await next(connection, exchange, deadline, timeout) {
        case .response(let response):
            idle.append(connection)
            return response
        case .streamOpened(let status, let headers):
            // Asked for as a plain request: the head is all the answer there is.
            drop(connection)
            return HTTPResponse(status, headers: headers)
        case .request, .event, .streamEnded:
            drop(connection)
            throw HTTPError.connectionReset("an answer out of order")
        }
    }

    func receiveEvents(
        _ request: HTTPRequest, idleTimeout: Nanoseconds, receive: (ServerSentEvent) async throws -> Bool
    ) async throws {
        try await context.requireAlive()
        let (connection, exchange) = try await open(deadline(idleTimeout), idleTimeout)
        http.transport.send(.request(request), on: connection, from: .client)
        switch try await next(connection, exchange, deadline(idleTimeout), idleTimeout) {
        case .streamOpened(let status, _) where status == 200: break
        case .streamOpened(let status, _):
            drop(connection)
            throw HTTPError.status(status)
        case .response(let response):
            idle.append(connection)
            throw HTTPError.status(response.status)
        case .request, .event, .streamEnded:
            drop(connection)
            throw HTTPError.connectionReset("an answer out of order")
        }
        while true {
            switch try await next(connection, exchange, deadline(idleTimeout), idleTimeout) {
            case .event(let event):
                let goesOn: Bool
                do {
                    goesOn = try await receive(event)
                } catch {
                    drop(connection)
                    throw error
                }
                if !goesOn { return drop(connection) }
            case .streamEnded:
                idle.append(connection)
                return
            case .request, .response, .streamOpened:
                drop(connection)
                throw HTTPError.connectionReset("an answer out of order")
            }
        }
    }

    private func deadline(_ timeout: Nanoseconds) -> Instant {
        http.simulation.now + http.simulation.trueSpan(context, timeout)
    }

    // MARK: Connections

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {
        exchanges[connection]?.isOpen = true
        wake(connection)
    }

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming HTTPWireMessage) {
        exchanges[connection]?.inbox.append(message)
        wake(connection)
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        exchanges[connection]?.end = end
        wake(connection)
    }

    private func wake(_ connection: ConnectionID) {
        guard let waiter = exchanges[connection]?.waiter else { return }
        exchanges[connection]?.waiter = nil
        http.simulation.wake(waiter)
    }

    /// A connection that is open: an idle one, or a new one.
    private func open(_ deadline: Instant, _ timeout: Nanoseconds) async throws -> (ConnectionID, Exchange) {
        while let connection = idle.popLast() {
            if let exchange = exchanges[connection], exchange.end == nil,
                http.transport.isOpen(connection, .client)
            {
                return (connection, exchange)
            }
            exchanges[connection] = nil
        }
        let connection = http.transport.connect(from: context.process, to: server, delegate: self)
        let exchange = Exchange()
        exchanges[connection] = exchange
        while !exchange.isOpen {
            if let end = exchange.end {
                exchanges[connection] = nil
                throw end == .timedOut
                    ? HTTPError.connectionRefused("\(name) does not answer") : .connectionRefused("\(name) refuses")
            }
            try await pause(connection, exchange, deadline, WaitReason("a connection"))
            if !exchange.isOpen, exchange.end == nil, http.simulation.now >= deadline {
                drop(connection)
                throw HTTPError.connectionRefused("\(name) did not accept within \(timeout)")
            }
        }
        return (connection, exchange)
    }

    private var name: String { http.simulation.name(of: server) }

    /// The next message on a connection.
    private func next(
        _ connection: ConnectionID, _ exchange: Exchange, _ deadline: Instant, _ timeout: Nanoseconds
    ) async throws -> HTTPWireMessage {
        while exchange.inbox.isEmpty {
            if exchange.end != nil {
                exchanges[connection] = nil
                throw HTTPError.connectionReset("the connection to \(name) broke")
            }
            if http.simulation.now >= deadline {
                drop(connection)
                throw HTTPError.timedOut(after: timeout)
            }
            try await pause(connection, exchange, deadline, WaitReason("an answer"))
        }
        return exchange.inbox.removeFirst()
    }

    private func pause(
        _ connection: ConnectionID, _ exchange: Exchange, _ deadline: Instant, _ reason: WaitReason
    ) async throws {
        let waiter = http.simulation.makeWaiter(context, reason, deadline: deadline)
        exchange.waiter = waiter
        do {
            try await http.simulation.wait(waiter)
        } catch {
            exchange.waiter = nil
            drop(connection)
            throw error
        }
        exchange.waiter = nil
    }

    private func drop(_ connection: ConnectionID) {
        exchanges[connection] = nil
        http.transport.close(connection, side: .client)
    }
}
