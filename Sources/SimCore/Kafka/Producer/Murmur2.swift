/// The hash by which Java clients choose a key's partition (org.apache.kafka.common.utils.Utils.murmur2); librdkafka's
/// `murmur2_random` agrees with it.
package enum Murmur2 {
    package static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        let multiplier: UInt32 = 0x5bd1_e995
        var hash: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        let words = bytes.count / 4
        for word in 0..<words {
            let base = word * 4
            var block =
                UInt32(bytes[base]) | UInt32(bytes[base + 1]) << 8 | UInt32(bytes[base + 2]) << 16
                | UInt32(bytes[base + 3]) << 24
            block = block &* multiplier
            block ^= block >> 24
            block = block &* multiplier
            hash = hash &* multiplier
            hash ^= block
        }
        let tail = words * 4
        let rest = bytes.count & 3
        if rest >= 3 { hash ^= UInt32(bytes[tail + 2]) << 16 }
        if rest >= 2 { hash ^= UInt32(bytes[tail + 1]) << 8 }
        if rest >= 1 {
            hash ^= UInt32(bytes[tail])
            hash = hash &* multiplier
        }
        hash ^= hash >> 13
        hash = hash &* multiplier
        hash ^= hash >> 15
        return Int32(bitPattern: hash)
    }

    package static func hash(_ text: String) -> Int32 {
        var text = text
        return text.withUTF8(hash)
    }

    /// `toPositive(murmur2(key)) % partitionCount`
    package static func partition(of key: String, count: Int32) -> Int32 {
        (hash(key) & 0x7fff_ffff) % count
    }
}
