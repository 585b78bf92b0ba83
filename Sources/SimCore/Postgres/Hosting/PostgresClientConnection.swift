import Ports

/// One connection of a client: requests and replies in turn, or a stream of committed transactions.
final class PostgresClientConnection: ConnectionDelegate {
    private let server: SimulatedPostgres
    private let context: ProcessContext
    // Not checked for exclusive access at run time: nothing here is held across a call of foreign code.
    @exclusivity(unchecked) private var id: ConnectionID!
    @exclusivity(unchecked) private var waiter: WaiterID?
    @exclusivity(unchecked) private var nextRequest: UInt64 = 1
    @exclusivity(unchecked) private var replies: ContiguousArray<(PostgresRequestID, PostgresReply)> = []
    @exclusivity(unchecked) private var hasGreeted = false
    /// Committed transactions received and not taken yet.
    var transactions: ContiguousArray<CommittedTransaction> = []
    /// The request that is under way.
    @exclusivity(unchecked) private var pending: PostgresRequestID?
    /// A request of it was cancelled: it is not used for another, which a late cancellation could hit.
    @exclusivity(unchecked) private var wasCancelled = false
    /// Why the connection is over; `nil` while it is not.
    @exclusivity(unchecked) private(set) var end: String?

    init(_ server: SimulatedPostgres, context: ProcessContext) {
        self.server = server
        self.context = context
    }

    var isUsable: Bool { end == nil && !wasCancelled && server.transport.isOpen(id, .client) }

    /// Connects, and waits until the server has accepted.
    ///
    /// - Throws: ``DatabaseError/connectionLost(_:)``, or the server's refusal (53300, 57P03).
    func open(timeout: Nanoseconds) async throws {
        id = server.transport.connect(from: context.process, to: server.process, delegate: self)
        let reply: PostgresReply?
        do {
            reply = try await nextReply(PostgresRequestID(0), timeout, isInterruptible: true)
        } catch {
            close()
            throw error
        }
        guard let reply else { throw DatabaseError.connectionLost(end ?? "the server does not answer") }
        if case .failure(let error) = reply {
            close()
            throw error
        }
        hasGreeted = true
    }

    /// Sends a request and waits for its reply; `nil` when the connection broke or no reply came in time, and then the
    /// connection is over.
    ///
    /// When the task is cancelled meanwhile the server is asked to stop, and what it then answers is the reply; unless the
    /// request is not interruptible.
    func call(
        _ body: PostgresRequest, timeout: Nanoseconds, isInterruptible: Bool = true
    ) async throws -> PostgresReply? {
        let request = PostgresRequestID(nextRequest)
        nextRequest += 1
        pending = request
        defer { pending = nil }
        server.transport.send(.request(request, body), on: id, from: .client)
        return try await nextReply(request, timeout, isInterruptible: isInterruptible)
    }

    /// Sends a request that is not replied to.
    func post(_ body: PostgresRequest) {
        let request = PostgresRequestID(nextRequest)
        nextRequest += 1
        server.transport.send(.request(request, body), on: id, from: .client)
    }

    private func nextReply(
        _ request: PostgresRequestID, _ timeout: Nanoseconds, isInterruptible: Bool
    ) async throws -> PostgresReply? {
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
            do {
                try await awaitArrival(
                    deadline, WaitReason("PostgreSQL"), isInterruptible: isInterruptible && !wasCancelled)
            } catch let error as CancellationError {
                guard hasGreeted else { throw error }
                wasCancelled = true
                server.transport.send(.cancel, on: id, from: .client)
            }
        }
    }

    /// Waits until something arrives, or the deadline.
    func awaitArrival(_ deadline: Instant, _ reason: WaitReason, isInterruptible: Bool = true) async throws {
        let waiter = server.simulation.makeWaiter(context, reason, deadline: deadline)
        self.waiter = waiter
        defer { self.waiter = nil }
        if isInterruptible {
            try await server.simulation.wait(waiter)
        } else {
            try await server.simulation.waitThroughCancellation(waiter)
        }
    }

    func close() {
        server.transport.close(id, side: .client)
        if end == nil { end = "closed" }
    }

    // MARK: Delegate

    func connectionOpened(_ connection: ConnectionID, side: ConnectionSide, peer: ProcessID) {}

    func connection(_ connection: ConnectionID, side: ConnectionSide, received message: consuming PostgresWireMessage) {
        switch consume message {
        case .reply(let request, let reply): replies.append((request, reply))
        case .transactions(let received): transactions += received
        case .closing(let error):
            // A request that is under way gets the reason as its answer; later ones only find a connection that is over.
            if !hasGreeted { replies.append((PostgresRequestID(0), .failure(error))) }
            if let pending { replies.append((pending, .failure(error))) }
            end = "\(error)"
        case .keepalive: return
        case .request, .cancel: preconditionFailure("a server sent a request")
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
