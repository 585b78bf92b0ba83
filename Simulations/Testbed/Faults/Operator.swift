import Domain
import Outbox
import Ports
import SimCore

/// Somebody with access to the databases: does what faults ask for, with statements of his own.
final class Operator: @unchecked Sendable {
    enum Request: Sendable {
        /// Has a service's relay publish the outbox from its table again.
        case snapshotAgain(service: String, fault: FaultInstanceID)
    }

    let work: WorkQueue<Request>
    private let simulation: Simulation

    init(_ simulation: Simulation) {
        self.simulation = simulation
        work = WorkQueue(simulation)
    }

    static func slot(of service: String) -> String { "\(service)_outbox" }

    /// How often he looks for events that failed for good.
    private static let deadLetterInterval = Nanoseconds.seconds(10)

    /// Adds the operator's process.
    ///
    /// - Parameters:
    ///   - slots: the slots that the operator has to look after, if the relays do not look after them themselves.
    ///   - service: a service as the operator's own tools have it, to replay parked events with.
    func addProcess(
        database: @escaping @Sendable (ProcessContext, String) -> any Database,
        slots: (@Sendable (ProcessContext, String) -> any ChangeStreams)?,
        service: @escaping @Sendable (ProcessContext, String) -> any ShopService
    ) {
        simulation.addProcess("operator", startsWithRun: false, onError: .restart(after: .seconds(1))) {
            [self] context in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in
                    while true {
                        switch try await work.take(context) {
                        case .snapshotAgain(let name, let fault):
                            try await snapshotAgain(name, fault, context, database(context, name))
                        }
                    }
                }
                group.addTask { [self] in
                    while true {
                        try await context.sleep(for: Self.deadLetterInterval)
                        for name in ShopWorld.serviceNames {
                            try await replayDeadLetters(database(context, name), service(context, name))
                            guard let slots, name != "notification" else { continue }
                            try await dropLostSlot(of: name, slots(context, name))
                        }
                    }
                }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    /// Has what failed for good applied again, now that its cause may be gone; what fails again waits for the next round.
    private func replayDeadLetters(_ database: any Database, _ service: any ShopService) async throws {
        typealias Parked = ParkedEventsTable
        let dead = Select(
            from: Parked.table, where: [Parked.state == .text(ParkedState.dead.rawValue)],
            orderedBy: [.ascending(Parked.parkedAt)], limit: 100)
        do {
            var aggregateIDs: [String] = []
            for row in try await database.executeAtomically([.select(dead)])[0].rows
            where !aggregateIDs.contains(row.text(Parked.aggregateID)) {
                aggregateIDs.append(row.text(Parked.aggregateID))
            }
            for aggregateID in aggregateIDs {
                do {
                    _ = try await service.replayParked(aggregateID: aggregateID)
                } catch is DatabaseError {
                    // The next aggregate may fare better.
                }
            }
        } catch is DatabaseError {
            // Out of reach, or forbidden still.
        }
    }

    /// Drops a slot that lost its log. A connector does not: it fails until somebody has done it, and then takes a snapshot
    /// (`snapshot.mode=when_needed`).
    private func dropLostSlot(of service: String, _ streams: any ChangeStreams) async throws {
        do {
            if try await streams.slot(Self.slot(of: service))?.status == .lost {
                try await streams.dropSlot(Self.slot(of: service))
            }
        } catch is DatabaseError {
            // Out of reach; next time.
        }
    }

    /// Takes the mark away that the snapshot is complete, and restarts the relay, which looks for it when it starts.
    private func snapshotAgain(
        _ service: String, _ fault: FaultInstanceID, _ context: ProcessContext, _ database: any Database
    ) async throws {
        let unmark = Update(
            RelayTable.table,
            set: [
                .set(RelayTable.isSnapshotComplete, .bool(false)),
                .set(RelayTable.snapshotToken, .uuid(context.identifiers.next())),
            ],
            where: [RelayTable.slotName == .text(Self.slot(of: service))])
        do {
            guard try await database.executeAtomically([.update(unmark)])[0].affectedRowCount == 1 else { return }
        } catch is DatabaseError {
            // Out of reach: an operator gives up sooner than a service.
            return
        }
        let relay = simulation.process(named: RelayFaults.name(of: service))!
        if simulation.crash(relay) { simulation.scheduleStart(of: relay, at: simulation.now + .milliseconds(20)) }
        simulation.faults.tookEffect(fault)
    }
}
