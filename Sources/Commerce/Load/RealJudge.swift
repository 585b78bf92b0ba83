#if Production
    import AdapterKafka
    import AdapterPostgres
    import AdapterSystem
    import Domain
    import Outbox
    import Ports

    /// Judges a shop on real servers with Domain's own properties: from its databases and topics, the provider's books, and
    /// what customers were told. To be asked when nothing moves any more.
    struct RealJudge: Sendable {
        let servers: RealServers
        let log: any ServiceLog
        private let clock = SystemClock()
        private static let settlingLimit = Nanoseconds.seconds(90)

        init(_ servers: RealServers, _ log: any ServiceLog) {
            self.servers = servers
            self.log = log
        }

        /// What was found.
        struct Judgement: Sendable {
            /// What did not hold.
            let violations: [String]
            let orderCount: Int
            let slots: [SlotBacklog]
        }

        func judge(_ book: LoadBook, captures: [JSONValue]) async throws -> Judgement {
            let eventLog = servers.eventLog(log)
            let lags = try await settledLags(eventLog.administration)
            let slots = try await SlotWatch(servers: servers, clock: clock, limit: Self.settlingLimit)
                .settledBacklogs()
            var judge = ShopJudge(remembersOrders: false)
            var violations: [Violation] = []
            for service in ShopComposition.services {
                violations += try await observe(service, &judge)
            }
            for record in try await records(eventLog) { judge.collector.observe(record) }
            for capture in captures { Self.observe(capture, &judge) }
            for entry in book.entries {
                guard let order = entry.orderID else { continue }
                for promise in entry.promises { judge.collector.observe(promise, order: order) }
                for sighting in entry.sightings { judge.collector.observe(sighting, order: order) }
            }
            // A server tells a slot's backlog in bytes, not in transactions.
            judge.finish(lags: lags, backlogs: [])
            violations += slots.filter(\.isProblem).map { Violation(.liveness, nil, "\($0.service): slot \($0.text)") }
            return Judgement(
                violations: (violations + judge.violations).map(\.description), orderCount: judge.judgedOrderCount,
                slots: slots)
        }

        private static func observe(_ capture: JSONValue, _ judge: inout ShopJudge) {
            guard let state = capture["state"]?.stringValue, state != "refused", let key = capture["key"]?.stringValue,
                let amount = capture["amount"]?.integerValue, let callback = capture["callback"]?.stringValue
            else { return }
            judge.collector.observeCapture(
                key: key, amount: Money(minorUnits: amount, currency: capture["currency"]?.stringValue ?? ""),
                isRefunded: state == "refunded", callback: callback)
        }

        // MARK: Databases

        /// Looks at all tables of one service. Returns what does not hold of its stock.
        private func observe(
            _ service: ShopComposition.Service, _ judge: inout ShopJudge
        ) async throws -> [Violation] {
            guard let name = ShopServiceName.allCases.first(where: { $0.name == service.name }) else { return [] }
            let database = PostgresDatabase(try servers.postgres(service.name, purpose: "judge"))
            defer { database.close() }
            // One snapshot for all of them.
            let results = try await database.executeAtomically(
                service.schema.tables.map { .select(Select(from: $0, orderedBy: Self.order(of: $0))) }, .repeatableRead)
            var rows: [String: [Row]] = [:]
            for (table, result) in zip(service.schema.tables, results) { rows[table.name] = result.rows }
            for table in service.schema.tables where table.name != InboxTable.table.name {
                for row in rows[table.name] ?? [] {
                    judge.collector.observe(CommittedChange(name, table: table.name, old: nil, new: row))
                }
            }
            // What a consumer applied in one transaction bears one time.
            for applied in Self.transactions(rows[InboxTable.table.name] ?? []) {
                judge.observe(applied.map { CommittedChange(name, table: InboxTable.table.name, old: nil, new: $0) })
            }
            guard name == .inventory else { return [] }
            return StockAccumulator.violations(
                items: rows[ItemsTable.table.name] ?? [], restocks: rows[RestocksTable.table.name] ?? [],
                reservations: rows[ReservationsTable.table.name] ?? [], hasArchived: false)
        }

        /// The order in which rows were committed, as far as the table tells.
        private static func order(of table: Table) -> [SortKey] {
            switch table.name {
            case OutboxTable.table.name:
                [.ascending(OutboxTable.occurredAtMicroseconds), .ascending(OutboxTable.aggregateVersion)]
            case InboxTable.table.name: [.ascending(InboxTable.receivedAt)]
            case OrderStepsTable.table.name: [.ascending(OrderStepsTable.version)]
            case FeedTable.table.name: [.ascending(FeedTable.position)]
            default: []
            }
        }

        private static func transactions(_ inbox: [Row]) -> [[Row]] {
            var transactions: [[Row]] = []
            for row in inbox {
                if let last = transactions.last?.last,
                    last.timestamp(InboxTable.receivedAt) == row.timestamp(InboxTable.receivedAt)
                {
                    transactions[transactions.count - 1].append(row)
                } else {
                    transactions.append([row])
                }
            }
            return transactions
        }

        // MARK: Topics

        private func records(_ eventLog: any EventLog) async throws -> [ConsumerRecord] {
            var (positions, ends): ([CommittedOffset], [TopicPartition: Int64]) = ([], [:])
            for topic in ShopComposition.topics where !topic.hasSuffix(ParkedEvents.deadLetterSuffix) {
                for partition in 0..<(try await eventLog.administration.partitionCount(of: topic) ?? 0) {
                    let name = TopicPartition(topic, partition)
                    let offsets = try await eventLog.administration.logOffsets(of: name)
                    positions.append(CommittedOffset(name, offsets.earliest))
                    if offsets.latest > offsets.earliest { ends[name] = offsets.latest }
                }
            }
            let consumer = try await eventLog.makeConsumer(ConsumerSettings(clientID: "judge", groupID: nil))
            do {
                try await consumer.assign(positions)
                var records: [ConsumerRecord] = []
                let deadline = clock.monotonicNow + Self.settlingLimit
                while !ends.isEmpty, clock.monotonicNow < deadline {
                    records += try await consumer.poll(maximumRecords: 5_000, timeout: .milliseconds(500))
                    for (name, end) in ends where (consumer.position(name) ?? 0) >= end { ends[name] = nil }
                }
                await consumer.close()
                return records
            } catch {
                await consumer.close()
                throw error
            }
        }

        /// How far consumers are behind, once they are not, or when they have had time enough.
        private func settledLags(
            _ administration: any EventLogAdministration
        ) async throws -> [LivenessProperty.ConsumerLag] {
            let deadline = clock.monotonicNow + Self.settlingLimit
            while true {
                let lags = try await lags(administration)
                if lags.isEmpty || clock.monotonicNow > deadline { return lags }
                try await clock.sleep(for: .milliseconds(500))
            }
        }

        private func lags(_ administration: any EventLogAdministration) async throws -> [LivenessProperty.ConsumerLag] {
            var lags: [LivenessProperty.ConsumerLag] = []
            for service in ShopComposition.services {
                let committed = try await administration.committedOffsets(ofGroup: service.name)
                for topic in service.consumedTopics {
                    for partition in 0..<(try await administration.partitionCount(of: topic) ?? 0) {
                        let name = TopicPartition(topic, partition)
                        let offsets = try await administration.logOffsets(of: name)
                        let position = committed.first { $0.topicPartition == name }?.offset ?? offsets.earliest
                        if offsets.latest > position {
                            lags.append(
                                LivenessProperty.ConsumerLag(
                                    group: service.name, partition: name, recordCount: offsets.latest - position))
                        }
                    }
                }
            }
            return lags
        }
    }
#endif
