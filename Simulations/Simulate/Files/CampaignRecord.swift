import SimCore

/// The line that a campaign's JSON ends with: what was found, and all that `merge` needs to add it to others. The seeds that
/// failed stand in lines of their own before it.
struct CampaignRecord: Codable {
    /// The layout of these lines. A reader refuses any other.
    static let currentFormat = 2

    let format: Int
    let toolVersion: String
    let scenario: String
    let seeds: Int
    let orders: Int64
    let events: UInt64
    /// How many seeds failed.
    let violations: Int
    /// How often each kind of fault took effect.
    let faults: [String: Int64]
    /// How often each was scheduled.
    let faultsScheduled: [String: Int64]
    let figures: [String: Int64]
    let sometimes: [String: UInt64]
    let neverHappened: [String]
    let properties: [PropertyCost]
    let traceHash: String
    let wallSeconds: Double
    let ordersPerSecond: Double
    let eventsPerSecond: Double
    let cpuSeconds: Double
    let peakRssBytes: Int
    let failureFiles: [String]
    let interrupted: Bool
    let deterministic: Bool
    let divergence: String?
    /// Seeds that were run in another process as well, to compare; absent when that was not asked for.
    let seedsRunTwice: Int?
    /// The words that repeat it, but for its seeds.
    let words: [String]
    /// The seeds that it is the result of.
    let parts: [CampaignPart]

    init(_ summary: CampaignSummary) {
        let (result, seconds) = (summary.result, summary.wallSeconds)
        format = Self.currentFormat
        toolVersion = FailureFiles.toolVersion
        scenario = summary.options.scenarioName
        seeds = result.seedCount
        orders = result.figures["orders"] ?? 0
        events = result.eventCount
        violations = result.failures.count
        faults = Dictionary(uniqueKeysWithValues: result.faults.map { ($0.kind, $0.effectCount) })
        faultsScheduled = Dictionary(uniqueKeysWithValues: result.faults.map { ($0.kind, $0.scheduledCount) })
        figures = result.figures
        sometimes = result.sometimes
        neverHappened = result.neverReached
        properties = result.properties
        traceHash = hexadecimal(result.combinedHash)
        wallSeconds = seconds
        ordersPerSecond = seconds > 0 ? Double(orders) / seconds : 0
        eventsPerSecond = seconds > 0 ? Double(events) / seconds : 0
        let costs = summary.costs ?? (Stopwatch.cpuSeconds(), Stopwatch.peakResidentBytes())
        (cpuSeconds, peakRssBytes) = costs
        failureFiles = summary.failureFiles
        interrupted = summary.isInterrupted
        deterministic = summary.divergence == nil
        divergence = summary.divergence
        seedsRunTwice = summary.seedsRunTwice
        words = summary.options.words
        parts = summary.parts
    }

    /// What the campaign found, with the failures from the lines before this one; `nil` when the two do not fit each other.
    func result(failures: [FailedSeed]) -> CampaignResult? {
        guard failures.count == violations, let hash = UInt64(traceHash, radix: 16),
            Set(faults.keys) == Set(faultsScheduled.keys)
        else { return nil }
        return CampaignResult(
            seedCount: seeds, eventCount: events, combinedHash: hash, failures: failures,
            faults: faults.keys.sorted().map {
                FaultEfficacy(kind: $0, scheduledCount: faultsScheduled[$0]!, effectCount: faults[$0]!)
            }, sometimes: sometimes, figures: figures, properties: properties)
    }
}
