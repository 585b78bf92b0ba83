/// The part of a campaign that one machine runs: shard `index` of `count`, from 1.
public struct Shard: Hashable, Sendable, Codable {
    /// Which part, from one.
    public let index: Int
    /// How many parts there are.
    public let count: Int

    /// The only part of a campaign that is not spread.
    public static let whole = Shard(index: 1, count: 1)!

    /// - Returns: `nil` unless `1 <= index <= count`.
    public init?(index: Int, count: Int) {
        guard count >= 1, (1...count).contains(index) else { return nil }
        self.index = index
        self.count = count
    }

    /// Reads `I/N`.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]) else { return nil }
        self.init(index: index, count: count)
    }

    /// Whether the seed is one of this shard's.
    public func contains(_ seed: UInt64) -> Bool { seed % UInt64(count) == UInt64(index - 1) }

    /// The lowest of a campaign's seeds that is one of this shard's; `nil` when it has none of them.
    package func firstSeed(in seeds: ClosedRange<UInt64>) -> UInt64? {
        let step = UInt64(count)
        let offset = (UInt64(index - 1) + step - seeds.lowerBound % step) % step
        return offset <= seeds.upperBound - seeds.lowerBound ? seeds.lowerBound + offset : nil
    }
}

/// Many runs of one thing under different seeds, on several threads. What it finds does not depend on how many.
public struct Campaign: Sendable {
    /// Seeds of the whole campaign, of all shards.
    public var seeds: ClosedRange<UInt64>
    /// Which of them are run here.
    public var shard: Shard
    /// Simulations at one time; each on a thread of its own.
    public var jobCount: Int
    /// Ends at the first failing seed: the lowest of those that had begun.
    public var stopsAtFailure: Bool

    /// A campaign over seeds or a shard of them.
    ///
    /// - Parameter jobCount: at least one is taken.
    public init(
        seeds: ClosedRange<UInt64>, shard: Shard = .whole, jobCount: Int = 1, stopsAtFailure: Bool = false
    ) {
        self.seeds = seeds
        self.shard = shard
        self.jobCount = max(1, jobCount)
        self.stopsAtFailure = stopsAtFailure
    }

    /// How many seeds are run here: none when there are fewer seeds than shards and this one is left out.
    ///
    /// - Precondition: they can be counted in 64 bits, as all but the range of every seed there is can.
    public var seedCount: UInt64 {
        shard.firstSeed(in: seeds).map { (seeds.upperBound - $0) / UInt64(shard.count) + 1 } ?? 0
    }

    /// What the campaign's threads share with whoever watches: progress, and a wish to stop.
    public final class Control: Sendable {
        /// Why no further run begins.
        public enum StopReason: Hashable, Sendable {
            /// Somebody called ``Campaign/Control/stop()``.
            case asked
            /// A run failed, and the campaign was to end at the first that does.
            case failure
            /// A run could not be done at all.
            case error
        }

        private let box = Locked((finished: 0, failed: 0, stopReason: StopReason?.none))

        /// A control for one campaign.
        public init() {}

        /// Runs finished so far, and how many of them failed.
        public var progress: (finished: Int, failed: Int) { box.withLock { ($0.finished, $0.failed) } }
        /// Lets no further run begin; those under way finish.
        public func stop() { stop(.asked) }
        /// Whether no further run begins.
        public var isStopped: Bool { stopReason != nil }
        /// Why no further run begins, the first reason; `nil` while they do.
        public var stopReason: StopReason? { box.withLock { $0.stopReason } }
        func stop(_ reason: StopReason) { box.withLock { $0.stopReason = $0.stopReason ?? reason } }
        func note(failed: Bool) {
            box.withLock {
                $0.finished += 1
                if failed { $0.failed += 1 }
            }
        }
    }

    /// Runs every seed of the shard and sums up.
    ///
    /// - Parameters:
    ///   - control: shared with whoever shows progress or handles signals.
    ///   - onReport: called for each run as it finishes, from the thread that ran it, one at a time.
    ///   - run: runs one seed.
    /// - Throws: the first error that `run` threw, by seed.
    public func run(
        control: Control = Control(), onReport: @escaping @Sendable (ScenarioReport) -> Void = { _ in },
        _ run: @escaping @Sendable (UInt64) throws -> ScenarioReport
    ) throws -> CampaignResult {
        let work = Locked(Work(next: seeds.lowerBound))
        let reporting = Locked(())
        runOnThreads(count: jobCount) {
            while let seed = nextSeed(work, control) {
                do {
                    let report = try run(seed)
                    control.note(failed: !report.run.held)
                    work.withLock { $0.add(report, untilFailure: stopsAtFailure) }
                    reporting.withLock { _ in onReport(report) }
                    if stopsAtFailure, !report.run.held { control.stop(.failure) }
                } catch {
                    work.withLock { work in
                        if work.errorSeed.map({ seed < $0 }) ?? true { (work.error, work.errorSeed) = (error, seed) }
                    }
                    control.stop(.error)
                }
            }
        }
        let outcome = work.withLock { $0 }
        if let error = outcome.error { throw error }
        return outcome.summary.sorted()
    }

    private struct Work: Sendable {
        var next: UInt64
        var isExhausted = false
        private var result = CampaignResult()
        /// Reports kept until the lowest failing seed is known: what lies above it was run by accident of timing.
        private var reports: [ScenarioReport] = []
        var error: (any Error)?
        var errorSeed: UInt64?

        init(next: UInt64) { self.next = next }

        mutating func add(_ report: ScenarioReport, untilFailure: Bool) {
            if untilFailure { reports.append(report) } else { result.add(report) }
        }

        var summary: CampaignResult {
            var summary = result
            let last = reports.filter { !$0.run.held }.map(\.run.seed).min() ?? .max
            for report in reports where report.run.seed <= last { summary.add(report) }
            return summary
        }
    }

    private func nextSeed(_ work: Locked<Work>, _ control: Control) -> UInt64? {
        guard !control.isStopped else { return nil }
        return work.withLock { work in
            while !work.isExhausted {
                let seed = work.next
                if seed == seeds.upperBound { work.isExhausted = true } else { work.next += 1 }
                if shard.contains(seed) { return seed }
            }
            return nil
        }
    }
}

/// A seed that failed, with the run's hash and violations.
public struct FailedSeed: Hashable, Sendable, Codable {
    /// The seed.
    public let seed: UInt64
    /// Sixteen hexadecimal digits.
    public let traceHash: String
    /// What the run found, the first first.
    public let violations: [Violation]

    package init(seed: UInt64, traceHash: String, violations: [Violation]) {
        self.seed = seed
        self.traceHash = traceHash
        self.violations = violations
    }
}

/// What the checks of one property cost a campaign.
public struct PropertyCost: Hashable, Sendable, Codable {
    /// Name of the property.
    public let name: String
    /// How often it was checked, in all runs.
    public internal(set) var checkCount: UInt64
    /// Wall time of all checks, estimated; a figure of the machine, which differs from run to run.
    public internal(set) var nanoseconds: UInt64
}

/// What a campaign found. Sums of shards are the whole: ``merge(_:)`` does not depend on order.
///
/// All of it follows from scenario and seeds but for what properties cost in time.
public struct CampaignResult: Sendable, Codable {
    /// Runs in it.
    public private(set) var seedCount = 0
    /// Events of all runs.
    public private(set) var eventCount: UInt64 = 0
    /// Folds seed and hash of every run, whatever their order.
    public private(set) var combinedHash: UInt64 = 0
    /// The runs that failed, in order of seed.
    public private(set) var failures: [FailedSeed] = []
    /// How often each kind of fault was scheduled and took effect, in order of name.
    public private(set) var faults: [FaultEfficacy] = []
    /// How often each `sometimes` property happened, by name.
    public private(set) var sometimes: [String: UInt64] = [:]
    /// Sums of the domain's own figures, by name.
    public private(set) var figures: [String: Int64] = [:]
    /// What each property cost, in order of name.
    public private(set) var properties: [PropertyCost] = []

    /// The result of no run.
    public init() {}

    /// A result as it was, put together from what was written of it.
    package init(
        seedCount: Int, eventCount: UInt64, combinedHash: UInt64, failures: [FailedSeed], faults: [FaultEfficacy],
        sometimes: [String: UInt64], figures: [String: Int64], properties: [PropertyCost]
    ) {
        self.seedCount = seedCount
        self.eventCount = eventCount
        self.combinedHash = combinedHash
        self.failures = failures
        self.faults = faults
        self.sometimes = sometimes
        self.figures = figures
        self.properties = properties
    }

    mutating func add(_ report: ScenarioReport) {
        seedCount += 1
        eventCount += report.run.eventCount
        combinedHash &+= SplitMix64.mixed(report.run.traceHash.value ^ SplitMix64.mixed(report.run.seed))
        if !report.run.held {
            failures.append(
                FailedSeed(
                    seed: report.run.seed, traceHash: report.run.traceHash.description,
                    violations: report.run.violations))
        }
        for fault in report.run.faults { add(fault) }
        for (name, count) in report.run.sometimes { sometimes[name, default: 0] += count }
        for (name, value) in report.figures { figures[name, default: 0] += value }
        for property in report.run.properties {
            add(
                PropertyCost(
                    name: property.name, checkCount: property.checkCount, nanoseconds: property.estimatedNanoseconds))
        }
    }

    /// Adds another shard's result.
    public mutating func merge(_ other: CampaignResult) {
        seedCount += other.seedCount
        eventCount += other.eventCount
        combinedHash &+= other.combinedHash
        failures += other.failures
        for fault in other.faults { add(fault) }
        for name in other.sometimes.keys.sorted() { sometimes[name, default: 0] += other.sometimes[name]! }
        for name in other.figures.keys.sorted() { figures[name, default: 0] += other.figures[name]! }
        for property in other.properties { add(property) }
        self = sorted()
    }

    private mutating func add(_ fault: FaultEfficacy) {
        guard let index = faults.firstIndex(where: { $0.kind == fault.kind }) else { return faults.append(fault) }
        faults[index] = FaultEfficacy(
            kind: fault.kind, scheduledCount: faults[index].scheduledCount + fault.scheduledCount,
            effectCount: faults[index].effectCount + fault.effectCount)
    }

    private mutating func add(_ property: PropertyCost) {
        guard let index = properties.firstIndex(where: { $0.name == property.name }) else {
            return properties.append(property)
        }
        properties[index].checkCount += property.checkCount
        properties[index].nanoseconds += property.nanoseconds
    }

    /// The same result in an order that does not depend on which run finished first.
    func sorted() -> CampaignResult {
        var result = self
        result.failures.sort { $0.seed < $1.seed }
        result.faults.sort { $0.kind < $1.kind }
        result.properties.sort { $0.name < $1.name }
        return result
    }

    /// Kinds that were planned or scheduled and never changed anything: no false green.
    public var faultsWithoutEffect: [String] { faults.filter { $0.effectCount == 0 }.map(\.kind) }
    /// `sometimes` properties that never happened.
    public var neverReached: [String] { sometimes.keys.sorted().filter { sometimes[$0] == 0 } }
}
