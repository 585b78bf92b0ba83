#if Production
    import Ports

    /// Puts the messages of one stream together into whole transactions.
    struct TransactionAssembler {
        private struct Partial {
            let transactionID: UInt32
            var changes: [ChangeEvent] = []
        }

        private var relations: [UInt32: PgOutputMessage.Relation] = [:]
        private var partial: Partial?

        /// Whether a transaction has begun and not ended.
        var isInTransaction: Bool { partial != nil }

        /// Takes the next message. Returns a transaction when it ends one that changed something.
        ///
        /// - Parameter lsn: where the message's change lies in the log.
        /// - Throws: ``PgOutputError`` for a message that cannot come here; ``Ports/DatabaseError`` for a value that the
        ///   port cannot hold.
        mutating func take(_ message: PgOutputMessage, at lsn: LSN) throws -> CommittedTransaction? {
            switch message {
            case .begin(_, _, let transactionID):
                guard partial == nil else { throw PgOutputError(problem: "BEGIN inside a transaction", offset: 0) }
                partial = Partial(transactionID: transactionID)
            case .commit(let commitLSN, let endLSN, let committedAt):
                return try commit(commitLSN, endLSN, committedAt)
            case .relation(let relation): relations[relation.id] = relation
            case .insert(let id, let new):
                let relation = try relation(id)
                try append(.insert(new: try row(new, relation)), relation, lsn)
            case .update(let id, let old, let new):
                let relation = try relation(id)
                let oldKey = try old.map { try row($0, relation) }
                let missing = zip(new, relation.columns).filter { $0.0 == .unchanged }.map(\.1.name)
                try append(.update(oldKey: oldKey, new: try row(new, relation)), relation, lsn, missing)
            case .delete(let id, let old):
                let relation = try relation(id)
                try append(.delete(oldKey: try row(old, relation)), relation, lsn)
            case .truncate, .other: break
            }
            return nil
        }

        private mutating func commit(
            _ commitLSN: LSN, _ endLSN: LSN, _ committedAt: Int64
        ) throws -> CommittedTransaction? {
            guard let finished = partial else { throw PgOutputError(problem: "COMMIT without BEGIN", offset: 0) }
            partial = nil
            guard !finished.changes.isEmpty else { return nil }
            guard let instant = PostgresTime.instant(microseconds: committedAt) else {
                throw PgOutputError(problem: "a commit time of \(committedAt) microseconds", offset: 0)
            }
            return CommittedTransaction(
                transactionID: UInt64(finished.transactionID), commitLSN: commitLSN, endLSN: endLSN,
                committedAt: instant,
                changes: finished.changes)
        }

        private func relation(_ id: UInt32) throws -> PgOutputMessage.Relation {
            guard let relation = relations[id] else {
                throw PgOutputError(problem: "a change of relation \(id), which was not described", offset: 0)
            }
            return relation
        }

        private mutating func append(
            _ change: RowChange, _ relation: PgOutputMessage.Relation, _ lsn: LSN, _ unavailableColumns: [String] = []
        ) throws {
            guard partial != nil else { throw PgOutputError(problem: "a change outside any transaction", offset: 0) }
            partial?.changes.append(
                ChangeEvent(
                    table: relation.name, change: change, lsn: lsn, unavailableColumns: unavailableColumns))
        }

        private func row(_ fields: [PgOutputMessage.Field], _ relation: PgOutputMessage.Relation) throws -> Row {
            guard fields.count == relation.columns.count else {
                throw PgOutputError(
                    problem: "\(fields.count) columns for \(relation.columns.count) of \(relation.name)", offset: 0)
            }
            return Row(try zip(fields, relation.columns).map { try value($0, $1, relation) })
        }

        private func value(
            _ field: PgOutputMessage.Field, _ column: PgOutputMessage.RelationColumn,
            _ relation: PgOutputMessage.Relation
        ) throws -> Value {
            switch field {
            case .null, .unchanged: return .null
            case .binary(let bytes):
                guard let type = ColumnType(objectID: column.typeID) else {
                    throw unsupported(column, relation)
                }
                return try bytes.withUnsafeBytes { try BinaryFormat.value($0, type) }
            case .text: throw unsupported(column, relation)
            }
        }

        private func unsupported(
            _ column: PgOutputMessage.RelationColumn, _ relation: PgOutputMessage.Relation
        ) -> DatabaseError {
            .statement(
                .featureNotSupported,
                message: "column \(column.name) of \(relation.name) has type \(column.typeID), which no Value holds")
        }
    }
#endif
