import Ports
public import SimCore

/// Primary-backup replication of a log, in about a hundred lines: the library used for a system of one's own.
///
/// A client writes numbers. The primary syncs each to its disk, has the backup store it, and only then acknowledges it. The
/// promise: what was acknowledged is still there after a failover to the backup.
///
/// The planted mistake (``isBackupCareless``): the backup answers before it has synced. Nothing shows it but a crash of the
/// backup in the millisecond between the answer and the sync.
public struct PrimaryBackup: Sendable {
    public var writeCount: UInt8 = 50
    public var isBackupCareless: Bool

    public init(isBackupCareless: Bool) { self.isBackupCareless = isBackupCareless }

    enum Message: Sendable {
        case write(UInt8)
        case acknowledged(UInt8)
        case replicate(UInt8)
        case replicated(UInt8)
    }

    /// What the client was told; it outlives every crash, as a client's memory does.
    final class Acknowledgements: @unchecked Sendable {
        var numbers: [UInt8] = []
    }

    public var scenario: Scenario {
        Scenario(
            "primary-backup", summary: "replication of a log to a backup, with a client that writes fifty numbers",
            options: ["careful": isBackupCareless ? "no" : "yes"]
        ) { simulation in
            let bus = MessageBus<Message>(simulation, name: "replication")
            let told = Acknowledgements()
            let asksAgain = simulation.properties.sometimes("the primary asks the backup again")

            let backup = simulation.addProcess("backup") { context in try await runBackup(context, bus) }
            let primary = simulation.addProcess("primary") { context in try await runPrimary(context, bus, asksAgain) }
            let primaryDisk = SimulatedDisk(simulation, process: primary)
            let backupDisk = SimulatedDisk(simulation, process: backup)

            simulation.properties.atQuiescence("a failover loses nothing that was acknowledged") {
                let stored = Set(backupDisk.contents(of: "log"))
                let lost = told.numbers.filter { !stored.contains($0) }
                return PropertyVerdict(lost.isEmpty, "acknowledged, and not on the backup's disk: \(lost)")
            }
            simulation.properties.always("the backup is never ahead of the primary") {
                PropertyVerdict(backupDisk.length(of: "log") <= primaryDisk.length(of: "log"))
            }

            let faults = FaultPlan(
                entries: [
                    .init("crash", pool: ["primary", "backup"]),
                    .init("loss", pool: ["primary", "backup"], targetCountLimit: 2),
                    .init("slow-disk", pool: ["primary", "backup"], targetCountLimit: 2),
                ], safetyPhase: .milliseconds(400), meanGap: .milliseconds(100))
            return Scenario.Prepared(faultPlan: faults, livenessBound: .minutes(2)) { context in
                for number in 1...writeCount { try await write(number, context, bus, told) }
                // Long enough for every restart that is still to come.
                try await context.sleep(for: .seconds(31))
            }
        }
    }

    /// The client: sends a number until it is acknowledged.
    private func write(
        _ number: UInt8, _ context: ProcessContext, _ bus: MessageBus<Message>, _ told: Acknowledgements
    ) async throws {
        while true {
            try bus.send(.write(number), from: context, to: "primary")
            let answer = try await bus.receive(context, timeout: .milliseconds(50))
            if case .acknowledged(number)? = answer?.message { break }
        }
        told.numbers.append(number)
    }

    private func runPrimary(
        _ context: ProcessContext, _ bus: MessageBus<Message>, _ asksAgain: SometimesProperty
    ) async throws {
        let disk = context.disk!
        while true {
            let request = try await bus.receive(context)
            guard case .write(let number) = request.message else { continue }
            try await store(number, context, disk, syncing: true)
            while true {
                try bus.send(.replicate(number), from: context, to: "backup")
                let answer = try await bus.receive(context, timeout: .milliseconds(20))
                if case .replicated(number)? = answer?.message { break }
                asksAgain.reached()
            }
            try bus.send(.acknowledged(number), from: context, to: request.from)
        }
    }

    private func runBackup(_ context: ProcessContext, _ bus: MessageBus<Message>) async throws {
        let disk = context.disk!
        while true {
            let request = try await bus.receive(context)
            guard case .replicate(let number) = request.message else { continue }
            try await store(number, context, disk, syncing: !isBackupCareless)
            try bus.send(.replicated(number), from: context, to: request.from)
            if isBackupCareless { try await disk.sync(context, "log") }
        }
    }

    /// Appends a number unless it is there, and makes it durable.
    private func store(
        _ number: UInt8, _ context: ProcessContext, _ disk: SimulatedDisk, syncing: Bool
    ) async throws {
        if !disk.contents(of: "log").contains(number) { _ = try await disk.append(context, "log", [number]) }
        if syncing { try await disk.sync(context, "log") }
    }
}
