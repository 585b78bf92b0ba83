import Ports

/// One connection of a client: requests and replies in turn, or a stream of committed transactions.
final class PostgresClientConnection: ConnectionDelegate {
    private let server: SimulatedPostgres
    private let context: ProcessContext
    private var id: ConnectionID!
    private var waiter: WaiterID?
    private var nextRequest: UInt64 = 1
    private var replies: ContiguousArray<(PostgresRequestID, PostgresReply)> = []
    private var hasGreeted = false
    /// Committed transactions received and not taken yet.
    var transactions: ContiguousArray<CommittedTransaction> = []
    /// Why the connection is over; `nil` while it is not.
    private(set) var end: String?

    init(_ server: SimulatedPostgres, context: ProcessContext) {
        self.server = server
        self.context = context
    }

    var isUsable: Bool { end == nil && server.transport.isOpen(id, .client) }

    /// Connects, and waits until the server has accepted.
    ///
    /// - Throws: ``DatabaseError/connectionLost(_:)``, or the server's refusal (53300, 57P03).
    func open(timeout: Nanoseconds) async throws {
        id = server.transport.connect(from: context.process, to: server.process, delegate: self)
        guard let reply = try await nextReply(PostgresRequestID(0), timeout) else {
            throw DatabaseError.connectionLost(end ?? "the server does not answer")
        }
        if case .failure(let error) = reply {
            close()
            throw error
        }
        hasGreeted = true
    }

    /// Sends a request and waits for its reply; `nil` when the connection broke or no reply came in time, and then the
    /// connection is over.
    func call(_ body: PostgresRequest, timeout: Nanoseconds) async throws -> PostgresReply? {
        let request = PostgresRequestID(nextRequest)
        nextRequest += 1
        server.transport.send(.request(request, body), on: id, from: .client)
        return try await nextReply(request, timeout)
    }

    /// Sends a request that is not replied to.
    func post(_ body: PostgresRequest) {
        let request = PostgresRequestID(nextRequest)
        nextRequest += 1
        server.transport.send(.request(request, body), on: id, from: .client)
    }

    private func nextReply(_ request: PostgresRequestID, _ timeout: Nanoseconds) async throws -> PostgresReply? {
        let simulation = server.simulation
        let deadline = simulation.now + simulation.trueSpan(context, timeout)
        while true {
            if let first = replies.first {
                replies.removeFirst()
                if first.0 == request { return first.1 }
                continue
            }
            if end != nil { return nil }
            if simulation.now >= deadline {
                close()
                end = "no answer within \(timeout)"
                return nil
            }
            try await pause(deadline, WaitReason("PostgreSQL"))
        }
    }

    /// Waits until something arrives, or the deadline.
    func pause(_ deadline: Instant, _ reason: WaitReason) async throws {
        let waiter = server.simulation.makeWaiter(context, reason, deadline: deadline)
        self.waiter = waiter
        do {
            try await server.simulation.wait(waiter)
        } catch {
            // Cancelled in the middle of a request: the connection cannot be used again.
            self.waiter = nil
            close()
            end = "the waiting task was cancelled"
            throw error
        }
        self.waiter = nil
    }

    func close() {
        server.transport.close(id, side: .client)
        if end == nil { end = "closed" }
    }

    // MARK: Delegate

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: PostgresWireMessage) {
        switch message {
        case .reply(let request, let reply): replies.append((request, reply))
        case .transactions(let received): transactions += received
        case .closing(let error):
            if !hasGreeted { replies.append((PostgresRequestID(0), .failure(error))) }
            end = "\(error)"
        case .keepalive: return
        case .request: preconditionFailure("a server sent a request")
        }
        wake()
    }

    func connectionEnded(_ connection: ConnectionID, side: ConnectionSide, _ end: ConnectionEnd) {
        if self.end == nil {
            self.end =
                switch end {
                case .closed: "the server closed the connection"
                case .reset: "connection reset"
                case .refused: "connection refused"
                case .timedOut: "connection timed out"
                }
        }
        wake()
    }

    private func wake() {
        guard let waiter else { return }
        self.waiter = nil
        server.simulation.wake(waiter)
    }
}
