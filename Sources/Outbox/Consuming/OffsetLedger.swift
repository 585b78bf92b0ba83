import Ports
import Synchronization

/// Which offsets are applied and not yet committed, for each partition. Shared by the loop and its rebalance callbacks.
final class OffsetLedger: Sendable {
    private struct Position {
        let partition: TopicPartition
        var applied: Int64
        var committed: Int64
    }

    private let positions = Mutex<[Position]>([])

    /// Notes that everything of the partition below `offset` is applied.
    func advance(_ partition: TopicPartition, to offset: Int64) {
        positions.withLock { positions in
            if let index = positions.firstIndex(where: { $0.partition == partition }) {
                positions[index].applied = offset
            } else {
                positions.append(Position(partition: partition, applied: offset, committed: -1))
            }
        }
    }

    /// What is applied and not committed, of these partitions or of all.
    func pending(of partitions: [TopicPartition]? = nil) -> [CommittedOffset] {
        positions.withLock { positions in
            positions.compactMap { position in
                guard position.applied != position.committed, partitions?.contains(position.partition) ?? true else {
                    return nil
                }
                return CommittedOffset(position.partition, position.applied)
            }
        }
    }

    /// Notes that these offsets were committed.
    func didCommit(_ offsets: [CommittedOffset]) {
        positions.withLock { positions in
            for offset in offsets {
                if let index = positions.firstIndex(where: { $0.partition == offset.topicPartition }) {
                    positions[index].committed = offset.offset
                }
            }
        }
    }

    /// Forgets partitions that are another member's now.
    func forget(_ partitions: [TopicPartition]) {
        positions.withLock { positions in positions.removeAll { partitions.contains($0.partition) } }
    }

    func forgetAll() { positions.withLock { $0.removeAll() } }
}
