public import Ports

/// Commands of the replication protocol and the functions on slots.
/// Source: PostgreSQL documentation, 55.4 Streaming Replication Protocol, 9.28.6 Replication Management Functions.
public enum ReplicationRequest: Sendable {
    /// Replied to with `position`, where decoding begins. A slot that exports its snapshot lets the next transaction above
    /// READ COMMITTED on this connection see exactly what was committed before.
    case createSlot(name: String, tables: [String], exportsSnapshot: Bool = false)
    case dropSlot(name: String)
    case slot(name: String)
    /// `pg_current_wal_insert_lsn()`.
    case currentPosition
    /// Makes this connection the slot's consumer. At most `credit` transactions are sent until more is granted, as
    /// TCP's window would have it.
    case start(slot: String, from: LSN?, credit: Int)
    /// Allows that many more transactions. Not replied to.
    case grant(credit: Int)
    /// Everything below is dealt with (a standby status update). Not replied to.
    case confirm(LSN)
    /// Ends the streaming; the connection stays.
    case stop

    /// Whether there is a reply.
    var isAnswered: Bool {
        switch self {
        case .grant, .confirm: false
        case .createSlot, .dropSlot, .slot, .currentPosition, .start, .stop: true
        }
    }
}
