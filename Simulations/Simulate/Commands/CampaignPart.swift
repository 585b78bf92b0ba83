import SimCore

/// The seeds that one result is of: a range, or the shard of one. What `merge` needs to know before it adds anything up.
struct CampaignPart: Codable, CustomStringConvertible {
    let firstSeed: UInt64
    let lastSeed: UInt64
    let shard: Shard

    init(_ campaign: Campaign) {
        firstSeed = campaign.seeds.lowerBound
        lastSeed = campaign.seeds.upperBound
        shard = campaign.shard
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        firstSeed = try container.decode(UInt64.self, forKey: .firstSeed)
        lastSeed = try container.decode(UInt64.self, forKey: .lastSeed)
        guard firstSeed <= lastSeed else {
            throw DecodingError.dataCorruptedError(
                forKey: .lastSeed, in: container, debugDescription: "\(lastSeed) is less than \(firstSeed)")
        }
        let text = try container.decode(String.self, forKey: .shard)
        guard let shard = Shard(text) else {
            throw DecodingError.dataCorruptedError(
                forKey: .shard, in: container, debugDescription: "'\(text)' is no shard")
        }
        self.shard = shard
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(firstSeed, forKey: .firstSeed)
        try container.encode(lastSeed, forKey: .lastSeed)
        try container.encode("\(shard.index)/\(shard.count)", forKey: .shard)
    }

    private enum CodingKeys: String, CodingKey {
        case firstSeed
        case lastSeed
        case shard
    }

    var description: String { "seeds \(firstSeed)..\(lastSeed), shard \(shard.index)/\(shard.count)" }

    /// How many seeds it has.
    var seedCount: UInt64 { Campaign(seeds: firstSeed...lastSeed, shard: shard).seedCount }

    /// What there is to say of a part that has no seed.
    var emptiness: String { "shard \(shard.index)/\(shard.count) holds none of the seeds \(firstSeed)..\(lastSeed)" }

    /// The lowest seed that both have; `nil` when they have none in common.
    func firstCommonSeed(_ other: CampaignPart) -> UInt64? {
        let (low, high) = (max(firstSeed, other.firstSeed), min(lastSeed, other.lastSeed))
        guard low <= high else { return nil }
        // The seeds of the larger count lie farther apart; after the other's count of them, everything comes again.
        let (wide, narrow) = shard.count >= other.shard.count ? (shard, other.shard) : (other.shard, shard)
        guard var seed = wide.firstSeed(in: low...high) else { return nil }
        for _ in 0..<narrow.count {
            if narrow.contains(seed) { return seed }
            guard high - seed >= UInt64(wide.count) else { return nil }
            seed += UInt64(wide.count)
        }
        return nil
    }
}
