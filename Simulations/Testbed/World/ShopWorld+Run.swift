import Domain
import Outbox
import Ports
import SimCore
import Workloads

/// The course of a run: opening, customers, the end.
extension ShopWorld {
    /// Opens the shop, lets the customers come, and waits until every order is finished and everything is quiet.
    func drive(_ context: ProcessContext) async throws {
        try await open(context)
        let schedule = ArrivalSchedule(
            options.log.purchases, count: options.orderCount, spacing: options.orderSpacing,
            from: simulation.now - .epoch, decisions: &simulation.decisions)
        for arrival in schedule.arrivals {
            try await context.sleep(for: .epoch + arrival.at - simulation.now)
            arrivals.put(arrival)
        }
        while openVisitCount > 0, simulation.now < judgementTime { try await context.sleep(for: .seconds(1)) }
        while !simulation.faults.areHealed, !options.faults.isEmpty { try await context.sleep(for: .seconds(1)) }
        try await settle(context)
        observer.finish(await lags(context))
        // What went wrong is said before what did not come of it.
        try await context.sleep(for: .milliseconds(1))
        if openVisitCount > 0 {
            simulation.fail(
                .liveness, "the customers", "\(openVisitCount) of them have not seen the end of their orders")
        }
    }

    private var openVisitCount: Int {
        options.orderCount - memory.finishedCount - memory.rejectedCount - memory.unansweredCount
            - (options.allowsLosses ? lostVisitCount : 0)
    }

    /// When what is not finished is judged as it is, so that a run which misses its bound says what it lacks.
    private var judgementTime: Instant {
        .epoch + Self.openingTime + options.safetyPhase + options.livenessBound - .minutes(1)
    }

    /// Creates topics and databases, fills the shelves, and starts the services.
    private func open(_ context: ProcessContext) async throws {
        let administration = kafka.eventLog(context).administration
        for topics in [
            OrderService.producedTopics, PaymentService.producedTopics, InventoryService.producedTopics,
            ShippingService.producedTopics,
        ] {
            for topic in topics {
                var specification = TopicSpecification(
                    topic, partitionCount: options.partitionCount, replicationFactor: Int16(min(3, options.brokerCount))
                )
                specification.minimumInSyncReplicas = options.minimumInSyncReplicas
                specification.allowsUncleanLeaderElection = options.allowsUncleanElection
                specification.retention = options.topicRetention
                specification.segmentSpan = .minutes(1)
                try await administration.createTopic(specification)
                observer.topics.append(topic)
            }
        }
        for schema in [
            OrderService.schema, PaymentService.schema, InventoryService.schema, ShippingService.schema,
            NotificationService.schema,
        ] {
            try await SimulatedDatabase(databases[schema.name]!, context: context).migrate(to: schema)
        }
        for name in Self.serviceNames { start(RelayFaults.name(of: name)) }
        // Slots before the first event: nothing is left to a snapshot.
        try await context.sleep(for: .milliseconds(500))
        try await fillShelves(context)
        for name in Self.serviceNames {
            for place in deployment.regularPlaces(of: name) { start(place) }
        }
        start("gateway")
        start("operator")
        try await waitForPrices(context)
        try await context.sleep(for: .epoch + Self.openingTime - simulation.now)
        for number in 1...Self.customerProcessCount { start("customers-\(number)") }
    }

    private func start(_ name: String) { simulation.start(simulation.process(named: name)!) }

    private func fillShelves(_ context: ProcessContext) async throws {
        let session = try await ports(context, database: "inventory").database.connect()
        try await session.begin(.readCommitted)
        var work = UnitOfWork(now: context.clock.now)
        for product in catalogue {
            InventorySeed(
                id: product.id, name: product.name, unitPrice: product.unitPrice, quantity: product.stock
            ).write(
                into: &work, identifiers: context.identifiers, settings: ShopSettings(),
                causedBy: EventCause(causationID: "opening", correlationID: product.id.description))
        }
        try await work.commit(on: session)
        await session.close()
    }

    /// Waits until the order service knows what everything costs, if it ever does: a shop that does not is to be judged.
    private func waitForPrices(_ context: ProcessContext) async throws {
        let database = ports(context, database: "order").database
        while simulation.now < .epoch + Self.openingTime - .seconds(1) {
            let rows = try await database.executeAtomically([.select(Select(from: ItemPricesTable.table))])[0].rows
            if rows.count == catalogue.count { return }
            try await context.sleep(for: .milliseconds(100))
        }
    }

    // MARK: The end

    /// Waits until consumers and slots have caught up.
    private func settle(_ context: ProcessContext) async throws {
        var quietRounds = 0
        while quietRounds < 3, simulation.now < judgementTime {
            try await context.sleep(for: .seconds(2))
            let (lags, backlogs) = await lags(context)
            let isQuiet = lags.allSatisfy { $0.recordCount == 0 } && backlogs.isEmpty && observer.judge.isQuiet
            quietRounds = isQuiet ? quietRounds + 1 : 0
        }
    }

    /// How far consumers and slots are behind.
    private func lags(
        _ context: ProcessContext
    ) async -> (lags: [LivenessProperty.ConsumerLag], backlogs: [LivenessProperty.SlotBacklog]) {
        var lags: [LivenessProperty.ConsumerLag] = []
        let administration = kafka.eventLog(context).administration
        for (group, topics) in [
            (OrderService.name, OrderService.consumedTopics), (PaymentService.name, PaymentService.consumedTopics),
            (InventoryService.name, InventoryService.consumedTopics),
            (ShippingService.name, ShippingService.consumedTopics),
            (NotificationService.name, NotificationService.consumedTopics),
        ] {
            let committed = (try? await administration.committedOffsets(ofGroup: group)) ?? []
            for topic in topics {
                for partition in 0..<kafka.partitionCount(of: topic) {
                    let name = TopicPartition(topic, partition)
                    guard let end = try? await administration.logOffsets(of: name).latest else { continue }
                    let position = committed.first { $0.topicPartition == name }?.offset ?? 0
                    if end > position {
                        lags.append(
                            LivenessProperty.ConsumerLag(group: group, partition: name, recordCount: end - position))
                    }
                }
            }
        }
        return (lags, [])
    }
}
