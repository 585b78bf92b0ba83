/// Where each leader epoch of a log begins (the leader-epoch-checkpoint of KIP-101).
struct LeaderEpochCache: Sendable {
    struct Entry: Hashable, Sendable {
        let epoch: Int32
        let startOffset: Int64
    }

    /// Sorted by epoch and by start offset.
    private(set) var entries: [Entry] = []

    var latestEpoch: Int32 { entries.last?.epoch ?? -1 }

    /// Notes that `epoch` begins at `startOffset`, unless a record of it or of a later one is there already.
    mutating func assign(epoch: Int32, startOffset: Int64) {
        if let last = entries.last, last.epoch >= epoch { return }
        // An epoch without any record leaves no trace: the next one begins at the same offset.
        while let last = entries.last, last.startOffset >= startOffset { entries.removeLast() }
        entries.append(Entry(epoch: epoch, startOffset: startOffset))
    }

    /// The end of the largest known epoch that is not above `epoch`; epoch -1 when `epoch` is above all that is known.
    ///
    /// - Parameter logEndOffset: where the latest epoch ends.
    func endOffset(of epoch: Int32, logEndOffset: Int64) -> EpochEndOffset {
        let undefined = EpochEndOffset(epoch: -1, endOffset: -1)
        guard epoch >= 0, let last = entries.last else { return undefined }
        if epoch == last.epoch { return EpochEndOffset(epoch: epoch, endOffset: logEndOffset) }
        guard let higher = entries.firstIndex(where: { $0.epoch > epoch }) else { return undefined }
        let floor = higher > 0 ? entries[higher - 1].epoch : epoch
        return EpochEndOffset(epoch: floor, endOffset: entries[higher].startOffset)
    }

    mutating func truncate(to offset: Int64) {
        while let last = entries.last, last.startOffset >= offset { entries.removeLast() }
    }

    /// Forgets epochs that end before the log's new start.
    mutating func advanceStart(to offset: Int64) {
        guard let keep = entries.lastIndex(where: { $0.startOffset <= offset }), keep >= 0 else { return }
        let epoch = entries[keep].epoch
        entries.removeFirst(keep + 1)
        entries.insert(Entry(epoch: epoch, startOffset: offset), at: 0)
    }

    mutating func removeAll() { entries.removeAll() }
}
