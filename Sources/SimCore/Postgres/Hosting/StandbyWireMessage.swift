import Ports

/// What travels between a primary and its standby. Source: PostgreSQL documentation, 53.4 Streaming Replication Protocol.
enum StandbyWireMessage {
    /// The standby has the WAL of that timeline up to there on its disk, and wants what follows.
    case start(timeline: UInt32, flushed: LSN)
    /// The primary has made a base backup: the standby has everything up to there now.
    case baseBackup(timeline: UInt32, upTo: LSN)
    /// The primary sends WAL up to there.
    case wal(upTo: LSN)
    /// The standby has WAL up to there on its disk.
    case flushed(LSN)

    /// Bulk is not modelled: a link that is slow delays what is on it.
    var byteCount: Int { 512 }

    var description: String {
        switch self {
        case .start(let timeline, let flushed): "start streaming at \(flushed) of timeline \(timeline)"
        case .baseBackup(let timeline, let position): "base backup of timeline \(timeline) up to \(position)"
        case .wal(let position): "WAL up to \(position)"
        case .flushed(let position): "has \(position) on disk"
        }
    }
}
