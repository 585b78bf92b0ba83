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
        let bytes: [UInt8]
        /// What was there before, for undoing; shorter than `bytes` when the file grew.
        let replaced: [UInt8]
        let lengthBefore: Int
        /// A failed sync took it off the list of what is still to be written.
        var isForgotten = false
    }

    fileprivate struct File {
        var bytes: [UInt8] = []
        var unsynced: [UnsyncedWrite] = []
    }

    private var files: [String: File] = [:]
    /// Names in order of creation: what iterates over files goes by this.
    private var order: [String] = []
    /// Total bytes that fit; `nil` for no limit.
    public var capacityBytes: Int?
    public private(set) var usedBytes = 0

    public init(capacityBytes: Int? = nil) { self.capacityBytes = capacityBytes }

    /// Names of the files, in order of creation.
    public var fileNames: [String] { order }

    public func exists(_ name: String) -> Bool { files[name] != nil }

    /// Length of a file in bytes; zero when it does not exist.
    public func length(of name: String) -> Int { files[name]?.bytes.count ?? 0 }

    /// Writes bytes at an offset, creating the file and filling a gap with zeros. Not synced.
    ///
    /// - Throws: ``DiskError/full(file:wanted:free:)``; nothing is written then.
    public mutating func write(_ name: String, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        precondition(offset >= 0, "a write to \(name) at negative offset \(offset)")
        let before = files[name]?.bytes.count ?? 0
        let growth = max(0, offset + bytes.count - before)
        if let capacityBytes, usedBytes + growth > capacityBytes {
            throw DiskError.full(file: name, wanted: growth, free: capacityBytes - usedBytes)
        }
        if files[name] == nil {
            files[name] = File()
            order.append(name)
        }
        files[name]!.apply(offset: offset, bytes: bytes)
        usedBytes += growth
    }

    /// Makes everything written to the file so far survive a crash.
    public mutating func sync(_ name: String) {
        files[name]?.unsynced.removeAll { !$0.isForgotten }
    }

    /// Forgets that the pages were dirty without writing them: what Linux did after a failed fsync (fsyncgate, 2018).
    /// The data stays readable until a crash, and no later sync brings it to the disk.
    ///
    /// - Returns: how many writes are now doomed.
    public mutating func failSync(_ name: String) -> Int {
        guard files[name] != nil else { return 0 }
        for index in files[name]!.unsynced.indices { files[name]!.unsynced[index].isForgotten = true }
        return files[name]!.unsynced.count
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
        files[name]!.bytes.removeLast(count - length)
        files[name]!.unsynced.removeAll { $0.offset >= length }
    }

    public mutating func remove(_ name: String) {
        guard let file = files.removeValue(forKey: name) else { return }
        usedBytes -= file.bytes.count
        order.removeAll { $0 == name }
    }

    /// Flips one bit where the file has bytes: bit rot. False when there are none.
    public mutating func flipBit(_ name: String, draw: (UInt64) -> UInt64) -> Bool {
        guard let count = files[name]?.bytes.count, count > 0 else { return false }
        let position = Int(draw(UInt64(count)))
        files[name]!.bytes[position] ^= 1 << UInt8(draw(8))
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
    mutating func apply(offset: Int, bytes new: [UInt8]) {
        let before = bytes.count
        if bytes.count < offset { bytes.append(contentsOf: repeatElement(0, count: offset - bytes.count)) }
        let overlap = min(bytes.count, offset + new.count)
        let replaced = offset < before ? Array(bytes[offset..<min(before, offset + new.count)]) : []
        if offset < overlap { bytes.replaceSubrange(offset..<overlap, with: new[..<(overlap - offset)]) }
        if overlap < offset + new.count { bytes.append(contentsOf: new[(overlap - offset)...]) }
        unsynced.append(
            DiskState.UnsyncedWrite(offset: offset, bytes: new, replaced: replaced, lengthBefore: before))
    }

    mutating func crash(_ model: CrashModel, draw: (UInt64) -> UInt64) -> Int {
        guard !unsynced.isEmpty else { return 0 }
        let writes = unsynced
        unsynced = []
        if model == .keepUnsynced { return 0 }
        for write in writes.reversed() { undo(write) }
        var lost = 0
        switch model {
        case .keepUnsynced: break
        case .dropUnsynced: lost = writes.count
        case .keepSome:
            for write in writes {
                if draw(2) == 0 { redo(write, byteCount: write.bytes.count) } else { lost += 1 }
            }
        case .tear:
            let torn = Int(draw(UInt64(writes.count)))
            for write in writes[..<torn] { redo(write, byteCount: write.bytes.count) }
            // Strictly fewer bytes than were written, so that what is torn differs from what is kept.
            redo(writes[torn], byteCount: Int(draw(UInt64(max(1, writes[torn].bytes.count)))))
            lost = writes.count - torn
        }
        return lost
    }

    private mutating func undo(_ write: DiskState.UnsyncedWrite) {
        if !write.replaced.isEmpty {
            bytes.replaceSubrange(write.offset..<(write.offset + write.replaced.count), with: write.replaced)
        }
        if bytes.count > write.lengthBefore { bytes.removeLast(bytes.count - write.lengthBefore) }
    }

    private mutating func redo(_ write: DiskState.UnsyncedWrite, byteCount: Int) {
        guard byteCount > 0 else { return }
        let end = write.offset + byteCount
        if bytes.count < end { bytes.append(contentsOf: repeatElement(0, count: end - bytes.count)) }
        bytes.replaceSubrange(write.offset..<end, with: write.bytes[..<byteCount])
    }
}

/// Why a disk operation failed.
public enum DiskError: Error, Hashable, Sendable {
    case full(file: String, wanted: Int, free: Int)
    case notFound(file: String)
    /// The sync failed; what was not synced may never be, whatever a later sync says (fsyncgate).
    case syncFailed(file: String)
}

extension DiskError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .full(let file, let wanted, let free):
            "disk full: writing \(file) needs \(wanted) more bytes and \(max(0, free)) are free"
        case .notFound(let file): "no file \(file)"
        case .syncFailed(let file): "sync of \(file) failed; what was not synced may be lost"
        }
    }
}
