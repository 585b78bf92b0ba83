public import Ports

/// The change stream port on a simulated server, for the code of one incarnation.
public final class SimulatedChangeStreams: ChangeStreams, @unchecked Sendable {
    private let server: SimulatedPostgres
    private let context: ProcessContext
    private let settings: DatabasePoolSettings

    public init(
        _ server: SimulatedPostgres, context: ProcessContext, settings: DatabasePoolSettings = DatabasePoolSettings()
    ) {
        self.server = server
        self.context = context
        self.settings = settings
    }

    public func createSlot(_ name: String, tables: [String]) async throws {
        _ = try await command(.createSlot(name: name, tables: tables))
    }

    public func dropSlot(_ name: String) async throws { _ = try await command(.dropSlot(name: name)) }

    public func slot(_ name: String) async throws -> ReplicationSlot? {
        guard case .slot(let slot) = try await command(.slot(name: name)) else { return nil }
        return slot
    }

    public func currentLSN() async throws -> LSN {
        guard case .position(let position) = try await command(.currentPosition) else { return .zero }
        return position
    }

    public func open(_ name: String, from start: LSN?) async throws -> any ChangeStream {
        let connection = try await connect()
        let credit = SimulatedChangeStream.window
        let reply = try await connection.call(
            .replication(.start(slot: name, from: start, credit: credit)), timeout: settings.answerTimeout)
        if let reply, case .failure(let error) = reply {
            connection.close()
            throw error
        }
        guard reply != nil else { throw DatabaseError.connectionLost(connection.end ?? "the connection broke") }
        return SimulatedChangeStream(server, context, connection)
    }

    private func connect() async throws -> PostgresClientConnection {
        try context.checkAlive()
        let connection = PostgresClientConnection(server, context: context)
        try await connection.open(timeout: settings.connectTimeout)
        return connection
    }

    /// Runs one command on a connection of its own.
    private func command(_ request: ReplicationRequest) async throws -> PostgresReply {
        let connection = try await connect()
        let reply = try await connection.call(.replication(request), timeout: settings.answerTimeout)
        connection.close()
        guard let reply else { throw DatabaseError.connectionLost(connection.end ?? "the connection broke") }
        if case .failure(let error) = reply { throw error }
        return reply
    }
}

/// An open slot.
final class SimulatedChangeStream: ChangeStream, @unchecked Sendable {
    /// Transactions on their way or waiting here at one time, as TCP's window bounds them.
    static let window = 1_000
    /// How often the server hears of the position although it is no other (`wal_receiver_status_interval`, 10 s; Debezium's
    /// `status.update.interval.ms`). It is also how a consumer that only reads learns that its connection is half-open.
    static let statusInterval = Nanoseconds.seconds(10)

    private let server: SimulatedPostgres
    private let context: ProcessContext
    private let connection: PostgresClientConnection
    private var takenSinceGrant = 0
    private var lastConfirmed = LSN.zero
    private var nextStatusAt: Instant

    init(_ server: SimulatedPostgres, _ context: ProcessContext, _ connection: PostgresClientConnection) {
        self.server = server
        self.context = context
        self.connection = connection
        nextStatusAt = server.simulation.now + Self.statusInterval
    }

    func next(maximumTransactions: Int, timeout: Nanoseconds) async throws -> [CommittedTransaction] {
        try context.checkAlive()
        let deadline = server.simulation.now + server.simulation.trueSpan(context, timeout)
        while connection.transactions.isEmpty {
            if let end = connection.end { throw DatabaseError.connectionLost(end) }
            if server.simulation.now >= deadline { return [] }
            if server.simulation.now >= nextStatusAt { sendStatus() }
            try await connection.awaitArrival(min(deadline, nextStatusAt), WaitReason("committed transactions"))
        }
        let count = min(maximumTransactions, connection.transactions.count)
        let taken = Array(connection.transactions.prefix(count))
        connection.transactions.removeFirst(count)
        takenSinceGrant += count
        if takenSinceGrant >= Self.window / 2 {
            connection.post(.replication(.grant(credit: takenSinceGrant)))
            takenSinceGrant = 0
        }
        return taken
    }

    func confirm(_ lsn: LSN) async throws {
        try context.checkAlive()
        if let end = connection.end { throw DatabaseError.connectionLost(end) }
        lastConfirmed = max(lastConfirmed, lsn)
        sendStatus()
    }

    private func sendStatus() {
        connection.post(.replication(.confirm(lastConfirmed)))
        nextStatusAt = server.simulation.now + Self.statusInterval
    }

    func close() async { connection.close() }
}
