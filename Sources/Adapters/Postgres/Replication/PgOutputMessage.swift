#if Production
    import Ports

    /// A message of the `pgoutput` plugin, protocol version 1 (PostgreSQL documentation, "Logical Replication Message
    /// Formats").
    enum PgOutputMessage: Equatable {
        struct RelationColumn: Equatable {
            let name: String
            let typeID: UInt32
            let isKey: Bool
        }

        struct Relation: Equatable {
            let id: UInt32
            let schema: String
            let name: String
            let columns: [RelationColumn]
        }

        /// One column of a tuple.
        enum Field: Equatable {
            case null
            /// Stored out of line and not changed: not transmitted.
            case unchanged
            case text([UInt8])
            case binary([UInt8])
        }

        case begin(finalLSN: LSN, committedAt: Int64, transactionID: UInt32)
        case commit(commitLSN: LSN, endLSN: LSN, committedAt: Int64)
        case relation(Relation)
        case insert(relation: UInt32, new: [Field])
        /// `old` is there when the key changed, or the whole row by REPLICA IDENTITY FULL.
        case update(relation: UInt32, old: [Field]?, new: [Field])
        case delete(relation: UInt32, old: [Field])
        case truncate(relations: [UInt32])
        /// Origins, types and messages, which say nothing of rows.
        case other(UInt8)
    }

    /// Bytes that are not what the protocol says.
    struct PgOutputError: Error, Equatable, CustomStringConvertible {
        let problem: String
        let offset: Int
        var description: String { "replication message not understood at byte \(offset): \(problem)" }
    }
#endif
