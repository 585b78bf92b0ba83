import Domain
import Ports
import SimCore

/// Watches a simulated shop from outside and lets Domain's own properties judge what it sees: durable rows as they are
/// committed, records as they are committed in the log, the provider's books, and what customers were told.
final class ShopObserver: EventHandler, @unchecked Sendable {
    /// How often the logs are looked at. Well within their retention.
    private static let sweepInterval = Nanoseconds.seconds(5)

    private let simulation: Simulation
    private let kafka: SimulatedKafkaCluster
    private let books: GatewayProvider.Books
    private(set) var judge = ShopJudge()
    private var handler: HandlerID!
    /// Topics whose records are followed.
    var topics: [String] = []
    private var positions: [TopicPartition: Int64] = [:]
    /// Up to where records have been lost; what lies before is in the place of lost ones, if it is new.
    private var replacedEnds: [TopicPartition: Int64] = [:]
    private let changes: Dependency
    private var reportedCount = 0
    private(set) var losses = ShopLosses()
    private var orderDatabase: SimulatedPostgres?

    init(_ simulation: Simulation, kafka: SimulatedKafkaCluster, books: GatewayProvider.Books) {
        self.simulation = simulation
        self.kafka = kafka
        self.books = books
        changes = simulation.properties.dependency("shop")
        handler = simulation.register(self)
        simulation.schedule(at: simulation.now + Self.sweepInterval, handler, code: 1)
        books.onChange = { [unowned self] in observeCapture($0) }
        simulation.properties.always("the shop's properties", on: changes) { [unowned self] in verdict() }
    }

    /// Follows a service's database.
    func watch(_ server: SimulatedPostgres, service name: String) {
        let service = ShopServiceName.allCases.first { $0.name == name }!
        if service == .order { orderDatabase = server }
        server.onDurableCommit = { [unowned self] rows in
            judge.observe(rows.map { CommittedChange(service, table: $0.table, old: $0.old, new: $0.new) })
            if judge.violations.count > reportedCount { changes.changed() }
        }
    }

    /// Takes note of records that an unclean election has lost.
    func observeLoss(of records: [ConsumerRecord], in partition: TopicPartition) {
        guard topics.contains(partition.topic) else { return }
        losses.recordCount += Int64(records.count)
        for record in records { judge.noteLoss(record) }
        guard let first = records.first, let last = records.last else { return }
        // What comes in their place has their offsets.
        positions[partition] = min(positions[partition] ?? 0, first.offset)
        replacedEnds[partition] = max(replacedEnds[partition] ?? 0, last.offset + 1)
    }

    /// Takes note of transactions that a failover has lost, the newest first.
    func observeLoss(of transactions: [[SimulatedPostgres.DurableChange]], at service: ShopServiceName) {
        losses.commitCount += Int64(transactions.count)
        for rows in transactions {
            judge.noteLoss(rows.map { CommittedChange(service, table: $0.table, old: $0.old, new: $0.new) })
        }
        if judge.violations.count > reportedCount { changes.changed() }
    }

    func observe(_ promise: OrderHistory.Promise, order: UniqueID) { judge.collector.observe(promise, order: order) }

    func observe(_ sighting: OrderHistory.Sighting, order: UniqueID) {
        // What a commit waits for a standby with is visible after a crash, and not known as durable yet.
        judge.collector.observe(sighting, order: order) { [orderDatabase] in
            typealias Steps = OrderStepsTable
            return orderDatabase?.visibleRows(of: Steps.table.name).contains {
                $0.uuid(Steps.orderID) == order && $0.int64(Steps.version) == sighting.id
                    && $0.text(Steps.status) == sighting.status.rawValue
            } ?? true
        }
    }

    /// Looks at the provider's entry after it changed.
    func observeCapture(_ entry: GatewayProvider.Entry) {
        guard !entry.isRefused else { return }
        judge.collector.observeCapture(
            key: entry.key, amount: Money(minorUnits: entry.amount, currency: "USD"), isRefunded: entry.isRefunded,
            callback: entry.callback)
    }

    func handle(_ event: KernelEvent) {
        sweep()
        simulation.schedule(at: simulation.now + Self.sweepInterval, handler, code: 1)
    }

    func describe(_ event: KernelEvent) -> String { "the logs are looked at" }

    /// Reads what is new in the logs.
    func sweep() {
        for topic in topics {
            for partition in 0..<kafka.partitionCount(of: topic) {
                let name = TopicPartition(topic, partition)
                let (records, end) = kafka.committedRecords(of: name, from: positions[name] ?? 0)
                positions[name] = end
                for record in records {
                    judge.collector.observe(record)
                    // Groups that had read the lost records go on behind them, and skip what has taken their place.
                    if let replacedEnd = replacedEnds[name], record.offset < replacedEnd { judge.noteLoss(record) }
                }
            }
        }
    }

    /// Judges everything that is left, once the run is quiet.
    func finish(_ rest: (lags: [LivenessProperty.ConsumerLag], backlogs: [LivenessProperty.SlotBacklog])) {
        sweep()
        judge.finish(lags: rest.lags, backlogs: rest.backlogs)
        let new = judge.violations[reportedCount...]
        guard !new.isEmpty, new.allSatisfy({ $0.property == .liveness }) else { return changes.changed() }
        // Nothing wrong has happened, and what should have has not.
        simulation.fail(.liveness, "the shop's properties", text(new))
        reportedCount = judge.violations.count
    }

    private func verdict() -> PropertyVerdict {
        guard judge.violations.count > reportedCount else { return .holds }
        let new = judge.violations[reportedCount...]
        reportedCount = judge.violations.count
        return .violated(text(new))
    }

    private func text(_ violations: ArraySlice<Domain.Violation>) -> String {
        let text = violations.prefix(5).map(\.description).joined(separator: "; ")
        return violations.count > 5 ? text + "; and \(violations.count - 5) more" : text
    }
}
