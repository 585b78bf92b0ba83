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

    private static let roundInterval = Nanoseconds.seconds(10)

    /// What the operator works with.
    struct Tools: Sendable {
        var database: @Sendable (ProcessContext, String) -> any Database
        /// A service as his own tools have it, to replay parked events with.
        var service: @Sendable (ProcessContext, String) -> any ShopService
        /// The slots that he has to look after; `nil` when the relays look after them themselves.
        var slots: (@Sendable (ProcessContext, String) -> any ChangeStreams)?
    }

    /// Adds the operator's process.
    ///
    /// - Parameter looksForTrouble: whether he makes rounds, beside what he is asked for.
    func addProcess(_ tools: Tools, looksForTrouble: Bool) {
        simulation.addProcess("operator", startsWithRun: false, onError: .restart(after: .seconds(1))) {
            [self] context in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [self] in try await takeRequests(context, tools) }
                if looksForTrouble { group.addTask { [self] in try await makeRounds(context, tools) } }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func takeRequests(_ context: ProcessContext, _ tools: Tools) async throws {
        while true {
            switch try await work.take(context) {
            case .snapshotAgain(let name, let fault):
                try await snapshotAgain(name, fault, context, tools.database(context, name))
            }
        }
    }

    private func makeRounds(_ context: ProcessContext, _ tools: Tools) async throws {
        let charges = ShopWorld.serviceNames.map { name in
            (
                name: name, database: tools.database(context, name), service: tools.service(context, name),
                slots: tools.slots?(context, name)
            )
        }
        while true {
            try await context.sleep(for: Self.roundInterval)
            for charge in charges {
                try await replayDeadLetters(charge.database, charge.service)
                if let slots = charge.slots { try await dropLostSlot(of: charge.name, slots) }
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
