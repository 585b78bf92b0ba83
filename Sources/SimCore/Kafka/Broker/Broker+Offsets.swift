import Ports

/// ListOffsets and OffsetsForLeaderEpoch.
extension Broker {
    func listOffset(_ entry: ListOffsetsEntry) -> ListOffsetsResult {
        func failed(_ error: KafkaErrorCode) -> ListOffsetsResult {
            ListOffsetsResult(partition: entry.partition, error: error, offset: -1, leaderEpoch: -1)
        }
        guard let index = replicaIndex(entry.partition) else { return failed(.unknownTopicOrPartition) }
        let error = replicas[index].check(leaderEpoch: entry.currentLeaderEpoch)
        guard error == .none else { return failed(error) }
        // A new leader's high watermark may lie below records that were committed before (KIP-207).
        if case .latest = entry.specification,
            replicas[index].log.highWatermark < replicas[index].leaderEpochStartOffset
        {
            return failed(.leaderNotAvailable)
        }
        let offset: Int64 =
            switch entry.specification {
            case .earliest: replicas[index].log.startOffset
            case .latest(isReadCommitted: true): replicas[index].log.lastStableOffset
            case .latest(isReadCommitted: false): replicas[index].log.highWatermark
            }
        return ListOffsetsResult(
            partition: entry.partition, error: .none, offset: offset, leaderEpoch: replicas[index].leaderEpoch)
    }

    func epochEnd(_ query: EpochEndOffsetQuery) -> EpochEndOffsetResult {
        let undefined = EpochEndOffset(epoch: -1, endOffset: -1)
        guard let index = replicaIndex(query.partition) else {
            return EpochEndOffsetResult(partition: query.partition, error: .unknownTopicOrPartition, end: undefined)
        }
        let error = replicas[index].check(leaderEpoch: query.currentLeaderEpoch)
        guard error == .none else {
            return EpochEndOffsetResult(partition: query.partition, error: error, end: undefined)
        }
        var end = replicas[index].log.endOffset(ofEpoch: query.epoch)
        if settings.truncationProtocol == .endOffsetForEpoch, end.endOffset >= 0 {
            // KIP-101's answer: the start of the first later epoch, without saying which epoch it found.
            end = EpochEndOffset(epoch: query.epoch, endOffset: end.endOffset)
        }
        return EpochEndOffsetResult(partition: query.partition, error: .none, end: end)
    }
}
