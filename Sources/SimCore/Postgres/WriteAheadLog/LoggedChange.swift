import Ports

/// A change that a transaction made, as the write-ahead log has it.
struct LoggedChange {
    enum Kind: UInt8 { case insert, update, delete }

    var table: Int32
    var kind: Kind
    /// Before and after; empty where there is none.
    var old: [Value]
    var new: [Value]
    var lsn: LSN
}
