import Ports

/// What travels between a client and a simulated PostgreSQL server.
enum PostgresWireMessage {
    case request(PostgresRequestID, PostgresRequest)
    case reply(PostgresRequestID, PostgresReply)
    /// Committed transactions for the consumer of a slot.
    case transactions([CommittedTransaction])
    /// A sign of life for the consumer of a slot, to be answered by TCP alone.
    case keepalive
    /// Asks the server to stop what runs on this connection. PostgreSQL takes it over a connection of its own (55.2.8), so
    /// that a real one may also be lost, or come too late, while this one's requests arrive.
    case cancel
    /// The server closes the connection for this reason.
    case closing(DatabaseError)

    /// A rough size: links of limited bandwidth are about bulk, not about bytes.
    var byteCount: Int {
        switch self {
        case .request(_, .execute(let statements, _)), .request(_, .executeAndCommit(let statements, _)):
            64 + 128 * statements.count
        case .request: 64
        case .reply(_, .results(let results, _)): 32 + results.reduce(0) { $0 + 128 * $1.rows.count }
        case .reply, .closing, .keepalive, .cancel: 64
        case .transactions(let transactions): transactions.reduce(0) { $0 + 64 + 200 * $1.changes.count }
        }
    }

    var description: String {
        switch self {
        case .request(_, .execute(let statements, _)): Self.describe(statements)
        case .request(_, .executeAndCommit(let statements, _)): Self.describe(statements) + " commit"
        case .request(_, .rollback): "rollback"
        case .request(_, .migrate(let schema)): "migrate \(schema.name) to version \(schema.version)"
        case .request(_, .replication(let request)): "replication \(Self.describe(request))"
        case .reply(_, .results(let results, _)): "\(results.count) results"
        case .reply(_, .failure(let error)): "\(error)"
        case .reply: "done"
        case .transactions(let transactions): "\(transactions.count) committed transactions"
        case .keepalive: "keepalive"
        case .cancel: "cancel"
        case .request(_, .configure): "settings"
        case .closing(let error): "closing: \(error)"
        }
    }

    private static func describe(_ statements: [Statement]) -> String {
        statements.map { statement in
            let verb =
                switch statement {
                case .select: "select"
                case .insert: "insert"
                case .update: "update"
                case .delete: "delete"
                }
            return "\(verb) \(statement.table.name)"
        }.joined(separator: ", ")
    }

    private static func describe(_ request: ReplicationRequest) -> String {
        switch request {
        case .createSlot(let name, _, _): "create slot \(name)"
        case .dropSlot(let name): "drop slot \(name)"
        case .slot(let name): "look at slot \(name)"
        case .currentPosition: "position"
        case .start(let slot, _, _): "start \(slot)"
        case .grant(let credit): "grant \(credit)"
        case .confirm(let lsn): "confirm \(lsn)"
        case .stop: "stop"
        }
    }
}
