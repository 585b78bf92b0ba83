import Ports

/// What a crash does to writes that were not synced.
public enum CrashModel: String, Hashable, Sendable, Codable, CaseIterable {
    /// They are gone, all of them.
    case dropUnsynced
    /// They are there, all of them: the operating system wrote them back in time.
    case keepUnsynced
    /// Each is kept or dropped on its own, as a disk without barriers may do.
    case keepSome
    /// A prefix is kept, and of the write after it some bytes: a torn write.
    case tear
}

/// A file system of one process as a value: files of bytes, what of them is synced, and what a crash leaves.
///
/// Reads see unsynced writes, as in a page cache. Latency is ``SimulatedDisk``'s concern.
public struct DiskState: Sendable {
    fileprivate struct UnsyncedWrite {
        let offset: Int
        var bytes: [UInt8]
        /// Position among all writes of the disk.
        let number: UInt64
    }

    fileprivate struct File {
        /// What a read sees.
        var bytes: [UInt8] = []
        /// What is on the disk for certain.
        var durable: [UInt8] = []
        /// What would bring `durable` up to `bytes`, in order, but for what failed syncs have forgotten.
        var unsynced: [UnsyncedWrite] = []
        /// Writes that a failed sync has taken off the list: they can be read until the next crash.
        var forgottenCount = 0
    }

    private var files: [String: File] = [:]
    /// Names in order of creation: what iterates over files goes by this.
    private var order: [String] = []
    /// Total bytes that fit; `nil` for no limit.
    public var capacityBytes: Int?
    /// Bytes in all files, synced or not.
    public private(set) var usedBytes = 0
    /// How many writes there have been: what ``sync(_:through:)`` takes to leave later ones out.
    public private(set) var writeCount: UInt64 = 0

    /// A disk without files.
    ///
    /// - Parameter capacityBytes: total bytes that fit; `nil` for no limit.
    public init(capacityBytes: Int? = nil) { self.capacityBytes = capacityBytes }

    /// Names of the files, in order of creation.
    public var fileNames: [String] { order }

    /// Whether there is a file of that name.
    public func exists(_ name: String) -> Bool { files[name] != nil }

    /// Length of a file in bytes; zero when it does not exist.
    public func length(of name: String) -> Int { files[name]?.bytes.count ?? 0 }

    /// Writes bytes at an offset, creating the file and filling a gap with zeros. Not synced.
    ///
    /// - Throws: ``DiskError/full(file:wanted:free:)``; nothing is written then.
    public mutating func write(_ name: String, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        precondition(offset >= 0, "a write to \(name) at negative offset \(offset)")
        let before = files[name]?.bytes.count ?? 0
        let growth = bytes.isEmpty ? 0 : max(0, offset + bytes.count - before)
        if let capacityBytes, usedBytes + growth > capacityBytes {
            throw DiskError.full(file: name, wanted: growth, free: capacityBytes - usedBytes)
        }
        if files[name] == nil {
            files[name] = File()
            order.append(name)
        }
        guard !bytes.isEmpty else { return }
        writeCount += 1
        files[name]!.bytes.overwrite(at: offset, with: bytes[...])
        files[name]!.unsynced.append(UnsyncedWrite(offset: offset, bytes: bytes, number: writeCount))
        usedBytes += growth
    }

    /// Makes everything written to the file survive a crash, up to the given one of the disk's writes.
    public mutating func sync(_ name: String, through lastWrite: UInt64 = .max) {
        files[name]?.sync(through: lastWrite)
    }

    /// Forgets that the pages were dirty without writing them: what Linux did after a failed fsync (fsyncgate, 2018).
    /// The data stays readable until a crash, and no later sync brings it to the disk.
    ///
    /// - Returns: how many writes are now doomed.
    public mutating func failSync(_ name: String) -> Int {
        guard let count = files[name]?.unsynced.count else { return 0 }
        files[name]!.unsynced.removeAll()
        files[name]!.forgottenCount += count
        return count
    }

    /// Reads up to `count` bytes; fewer at the end of the file.
    ///
    /// - Throws: ``DiskError/notFound(file:)``
    public func read(_ name: String, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        guard let file = files[name] else { throw DiskError.notFound(file: name) }
        guard offset < file.bytes.count else { return [] }
        return Array(file.bytes[offset..<min(file.bytes.count, offset + count)])
    }

    /// Cuts the file off. Durable at once, as a metadata journal makes it.
    public mutating func truncate(_ name: String, to length: Int) {
        guard let count = files[name]?.bytes.count, count > length else { return }
        usedBytes -= count - length
        files[name]!.truncate(to: length)
    }

    /// Removes a file for good, as far as a crash goes; no effect when there is none. Linear in the number of files.
    public mutating func remove(_ name: String) {
        guard let file = files.removeValue(forKey: name) else { return }
        usedBytes -= file.bytes.count
        order.removeAll { $0 == name }
    }

    /// Flips one bit where the file has bytes: bit rot, which no sync and no crash heals unless the crash loses the write
    /// whose byte it was. False when there are none.
    public mutating func flipBit(_ name: String, draw: (UInt64) -> UInt64) -> Bool {
        guard let count = files[name]?.bytes.count, count > 0 else { return false }
        let position = Int(draw(UInt64(count)))
        let bit: UInt8 = 1 << UInt8(draw(8))
        files[name]!.flip(bit, at: position)
        return true
    }

    /// What a crash leaves. `draw(n)` is a decision in `0 ..< n`.
    ///
    /// - Returns: how many unsynced writes were lost in whole or in part.
    public mutating func crash(_ model: CrashModel, draw: (UInt64) -> UInt64) -> Int {
        var lost = 0
        for name in order {
            lost += files[name]!.crash(model, draw: draw)
        }
        usedBytes = order.reduce(0) { $0 + files[$1]!.bytes.count }
        return lost
    }
}

extension DiskState.File {
    mutating func sync(through lastWrite: UInt64) {
        let count = unsynced.prefix { $0.number <= lastWrite }.count
        for write in unsynced[..<count] { durable.overwrite(at: write.offset, with: write.bytes[...]) }
        unsynced.removeFirst(count)
    }

    /// Flips a bit where a read sees it, and where that byte is to come from after a sync: the last write over it, or the disk.
    mutating func flip(_ bit: UInt8, at position: Int) {
        bytes[position] ^= bit
        let write = unsynced.lastIndex { $0.offset <= position && position < $0.offset + $0.bytes.count }
        if let write {
            unsynced[write].bytes[position - unsynced[write].offset] ^= bit
        } else if position < durable.count {
            durable[position] ^= bit
        }
    }

    mutating func truncate(to length: Int) {
        bytes.removeLast(bytes.count - length)
        if durable.count > length { durable.removeLast(durable.count - length) }
        unsynced.removeAll { $0.offset >= length }
        for index in unsynced.indices {
            let kept = min(unsynced[index].bytes.count, length - unsynced[index].offset)
            unsynced[index].bytes.removeLast(unsynced[index].bytes.count - kept)
        }
    }

    mutating func crash(_ model: CrashModel, draw: (UInt64) -> UInt64) -> Int {
        guard !unsynced.isEmpty || forgottenCount > 0 else { return 0 }
        let lost = forgottenCount + (unsynced.isEmpty ? 0 : keepUnsynced(model, draw: draw))
        bytes = durable
        unsynced = []
        forgottenCount = 0
        return lost
    }

    /// Brings to the disk what the model lets survive; returns how many writes were lost in whole or in part.
    private mutating func keepUnsynced(_ model: CrashModel, draw: (UInt64) -> UInt64) -> Int {
        var lost = 0
        switch model {
        case .keepUnsynced:
            for write in unsynced { durable.overwrite(at: write.offset, with: write.bytes[...]) }
        case .dropUnsynced: lost = unsynced.count
        case .keepSome:
            for write in unsynced {
                if draw(2) == 0 { durable.overwrite(at: write.offset, with: write.bytes[...]) } else { lost += 1 }
            }
        case .tear:
            let torn = Int(draw(UInt64(unsynced.count)))
            for write in unsynced[..<torn] { durable.overwrite(at: write.offset, with: write.bytes[...]) }
            // Strictly fewer bytes than were written, so that what is torn differs from what is kept.
            let kept = Int(draw(UInt64(max(1, unsynced[torn].bytes.count))))
            durable.overwrite(at: unsynced[torn].offset, with: unsynced[torn].bytes[..<kept])
            lost = unsynced.count - torn
        }
        return lost
    }
}

extension [UInt8] {
    /// Puts bytes at an offset, filling a gap with zeros.
    fileprivate mutating func overwrite(at offset: Int, with new: ArraySlice<UInt8>) {
        guard !new.isEmpty else { return }
        if count < offset { append(contentsOf: repeatElement(0, count: offset - count)) }
        let overlap = Swift.min(count - offset, new.count)
        replaceSubrange(offset..<(offset + overlap), with: new.prefix(overlap))
        append(contentsOf: new.dropFirst(overlap))
    }
}

/// Why a disk operation failed.
public enum DiskError: Error, Hashable, Sendable {
    /// Writing needs more bytes than are free; both are given.
    case full(file: String, wanted: Int, free: Int)
    /// There is no file of that name.
    case notFound(file: String)
    /// The sync failed; what was not synced may never be, whatever a later sync says (fsyncgate).
    case syncFailed(file: String)
}

extension DiskError: CustomStringConvertible {
    /// What failed, with the file and the numbers.
    public var description: String {
        switch self {
        case .full(let file, let wanted, let free):
            "disk full: writing \(file) needs \(wanted) more bytes and \(max(0, free)) are free"
        case .notFound(let file): "no file \(file)"
        case .syncFailed(let file): "sync of \(file) failed; what was not synced may be lost"
        }
    }
}
