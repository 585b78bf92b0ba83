#if Production
    import Clibpq
    import Ports

    /// The state of one pipeline on a connection: what was sent, and what has come back so far.
    struct PipelineExecution {
        /// One answer that libpq gives, in the order of sending.
        enum Expected {
            case preparation(sql: String, name: String)
            case control(isCommit: Bool)
            case statement(columns: [Column])
            case text
        }

        var expected: [Expected] = []
        let mayCommit: Bool
        /// The instant of ``AdapterSystem/SocketReactor/now`` after which the server counts as lost.
        let deadline: Int64
        var outcome = PipelineOutcome()
        /// Preparations that the server confirmed.
        var prepared: [(sql: String, name: String)] = []
        private var index = 0

        init(mayCommit: Bool, deadline: Int64) {
            self.mayCommit = mayCommit
            self.deadline = deadline
        }

        /// libpq separates the answers to two commands by a null result.
        mutating func endCommand() { index += 1 }

        /// - Parameter gaveUpStandby: the server has warned that this commit no longer waits for its standby.
        mutating func take(_ result: OpaquePointer, gaveUpStandby: Bool) {
            guard index < expected.count else { return }
            if gaveUpStandby { fail(.commitOutcomeUnknown("the wait for the synchronous standby was cancelled")) }
            switch PQresultStatus(result) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK: takeSuccess(result)
            case PGRES_PIPELINE_ABORTED: break  // skipped after an earlier error
            default: fail(PostgresErrors.statement(result))
            }
        }

        mutating func fail(_ error: DatabaseError) {
            if outcome.error == nil { outcome.error = error }
        }

        private mutating func takeSuccess(_ result: OpaquePointer) {
            switch expected[index] {
            case .preparation(let sql, let name): prepared.append((sql, name))
            case .control(let isCommit):
                // COMMIT of a failed transaction rolls back and calls that a success.
                if isCommit, let tag = PQcmdStatus(result), String(cString: tag) == "ROLLBACK" {
                    fail(
                        .statement(.inFailedTransaction, message: "COMMIT of a failed transaction: it was rolled back"))
                }
            case .statement(let columns): takeRows(result, columns)
            case .text: takeTextRows(result)
            }
        }

        private mutating func takeRows(_ result: OpaquePointer, _ columns: [Column]) {
            var rows: [Row] = []
            if PQresultStatus(result) == PGRES_TUPLES_OK {
                rows.reserveCapacity(Int(PQntuples(result)))
                do throws(DatabaseError) {
                    for row in 0..<PQntuples(result) { rows.append(try Self.row(result, row, columns)) }
                } catch {
                    fail(error)
                }
            }
            let affected = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
            outcome.results.append(StatementResult(affectedRowCount: affected, rows: rows))
        }

        private static func row(
            _ result: OpaquePointer, _ row: Int32, _ columns: [Column]
        ) throws(DatabaseError) -> Row {
            var values: [Value] = []
            values.reserveCapacity(columns.count)
            for (index, column) in columns.enumerated() {
                let field = Int32(index)
                if PQgetisnull(result, row, field) == 1 {
                    values.append(.null)
                } else {
                    let bytes = UnsafeRawBufferPointer(
                        start: PQgetvalue(result, row, field), count: Int(PQgetlength(result, row, field)))
                    values.append(try BinaryFormat.value(bytes, column.type))
                }
            }
            return Row(values)
        }

        private mutating func takeTextRows(_ result: OpaquePointer) {
            for row in 0..<PQntuples(result) {
                outcome.textRows.append(
                    (0..<PQnfields(result)).map { field in
                        PQgetisnull(result, row, field) == 1 ? nil : String(cString: PQgetvalue(result, row, field))
                    })
            }
        }
    }
#endif
