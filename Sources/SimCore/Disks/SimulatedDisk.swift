public import Ports

/// How long disk operations take, and what a crash does by default.
public struct DiskSettings: Hashable, Sendable {
    /// How long a read takes.
    public var readLatency = LatencyDistribution(minimum: .microseconds(60), spread: .microseconds(40))
    /// Into the page cache.
    public var writeLatency = LatencyDistribution(minimum: .microseconds(5), spread: .microseconds(5))
    /// How long a sync takes, whatever there is to write.
    public var syncLatency = LatencyDistribution(
        minimum: .microseconds(500), spread: .microseconds(500), tail: .perMille(2), tailFactor: 20)
    /// What happens to unsynced writes; `nil`: each crash draws one of the models.
    public var crashModel: CrashModel?
    /// Total bytes that fit; `nil` for no limit.
    public var capacityBytes: Int?

    /// A solid-state disk of a data centre, without a limit.
    public init() {}
}

/// The disk of one process: files of bytes with latency. It outlives the process's incarnations; a crash does to unsynced
/// writes what the crash model says.
public final class SimulatedDisk: ProcessObserver, @unchecked Sendable {
    /// What one fault does to a disk while it lasts. Each is kept on its own, so that two do not end each other.
    struct Disturbance {
        var slowFactor: Int64 = 1
        var isFull = false
        var failsSyncs = false
        var crashModel: CrashModel?
    }

    /// Whose disk it is.
    public let process: ProcessID
    /// Latencies and crash model; the capacity is taken when the disk is made.
    @exclusivity(unchecked) public var settings: DiskSettings
    private unowned(unsafe) let simulation: Simulation
    // Not checked for exclusive access at run time: no access spans a call of foreign code.
    @exclusivity(unchecked) private var disk: DiskState
    private let latencies: DecisionStreamID
    @exclusivity(unchecked) private var disturbances: ContiguousArray<(id: FaultInstanceID, disturbance: Disturbance)> =
        []

    /// Gives a process a disk.
    public init(_ simulation: Simulation, process: ProcessID, settings: DiskSettings = DiskSettings()) {
        self.simulation = simulation
        self.process = process
        self.settings = settings
        disk = DiskState(capacityBytes: settings.capacityBytes)
        let name = simulation.name(of: process)
        latencies = simulation.decisions.stream("disk.latency", name)
        simulation.observe(process, by: self)
        simulation.disks.append(self)
    }

    /// Writes bytes at an offset of a file. They can be read at once and survive a crash only after ``sync(_:_:)``.
    ///
    /// - Throws: ``DiskError/full(file:wanted:free:)``, ``Ports/ProcessStopped``.
    public func write(_ context: ProcessContext, _ file: String, at offset: Int, _ bytes: [UInt8]) async throws {
        try await context.requireAlive()
        for (id, disturbance) in disturbances where disturbance.isFull {
            simulation.faults.tookEffect(id)
            throw DiskError.full(file: file, wanted: bytes.count, free: 0)
        }
        try disk.write(file, at: offset, bytes)
        try await pass(settings.writeLatency, context)
    }

    /// Writes at the end of a file, and returns where.
    ///
    /// - Throws: ``DiskError/full(file:wanted:free:)``, ``Ports/ProcessStopped``.
    public func append(_ context: ProcessContext, _ file: String, _ bytes: [UInt8]) async throws -> Int {
        let offset = disk.length(of: file)
        try await write(context, file, at: offset, bytes)
        return offset
    }

    /// Makes what was written to the file survive a crash.
    ///
    /// - Throws: ``DiskError/syncFailed(file:)``: what was unsynced then never becomes durable, whatever a later sync says.
    public func sync(_ context: ProcessContext, _ file: String) async throws {
        try await context.requireAlive()
        for (id, disturbance) in disturbances where disturbance.failsSyncs {
            _ = disk.failSync(file)
            simulation.faults.tookEffect(id)
            throw DiskError.syncFailed(file: file)
        }
        // What is written while the sync runs may miss it.
        let lastWrite = disk.writeCount
        try await pass(settings.syncLatency, context)
        disk.sync(file, through: lastWrite)
    }

    /// Reads up to `count` bytes.
    ///
    /// - Throws: ``DiskError/notFound(file:)``, ``Ports/ProcessStopped``.
    public func read(_ context: ProcessContext, _ file: String, at offset: Int, count: Int) async throws -> [UInt8] {
        try await context.requireAlive()
        try await pass(settings.readLatency, context)
        return try disk.read(file, at: offset, count: count)
    }

    /// Cuts a file off at a length, durably and at once, as a metadata journal makes it.
    ///
    /// - Throws: ``Ports/ProcessStopped``.
    public func truncate(_ context: ProcessContext, _ file: String, to length: Int) throws {
        try context.checkAlive()
        disk.truncate(file, to: length)
    }

    /// Removes a file, durably and at once; does nothing when there is none.
    ///
    /// - Throws: ``Ports/ProcessStopped``.
    public func remove(_ context: ProcessContext, _ file: String) throws {
        try context.checkAlive()
        disk.remove(file)
    }

    /// The bytes of a file as they are now, without a process reading them: for properties.
    public func contents(of file: String) -> [UInt8] {
        (try? disk.read(file, at: 0, count: disk.length(of: file))) ?? []
    }

    /// Whether there is such a file; takes no time: for properties and shells.
    public func exists(_ file: String) -> Bool { disk.exists(file) }
    /// Length of a file in bytes, zero when there is none; takes no time.
    public func length(of file: String) -> Int { disk.length(of: file) }
    /// In order of creation.
    public var fileNames: [String] { disk.fileNames }

    /// Time that a sync or write of a state machine's own takes now, disturbances included; for shells around such machines,
    /// which keep their data themselves.
    public func drawLatency(_ distribution: LatencyDistribution) -> Nanoseconds {
        let latency = distribution.draw(&simulation.state.pointee.decisions, latencies)
        if disturbances.isEmpty { return latency }
        // The worst of several counts: a product of slow faults would soon be longer than any run.
        var factor: Int64 = 1
        for (id, disturbance) in disturbances where disturbance.slowFactor > 1 {
            simulation.faults.tookEffect(id)
            factor = max(factor, disturbance.slowFactor)
        }
        return latency * factor
    }

    /// Whether a sync asked for now fails; for shells. Counts as a bite.
    public func drawsSyncFailure() -> Bool {
        for (id, disturbance) in disturbances where disturbance.failsSyncs {
            simulation.faults.tookEffect(id)
            return true
        }
        return false
    }

    /// Whether the disk is full now; for shells. Counts as a bite.
    public func drawsFull() -> Bool {
        for (id, disturbance) in disturbances where disturbance.isFull {
            simulation.faults.tookEffect(id)
            return true
        }
        return false
    }

    /// How many of `unsyncedCount` units that a state machine wrote and did not sync survive this crash; for shells.
    public func drawSurvivors(of unsyncedCount: Int) -> Int {
        guard unsyncedCount > 0 else { return 0 }
        let crash = crash()
        let survivors =
            switch crash.model {
            case .dropUnsynced: 0
            case .keepUnsynced: unsyncedCount
            case .keepSome, .tear: Int(simulation.decisions.draw(crash.stream, below: UInt64(unsyncedCount) + 1))
            }
        if survivors < unsyncedCount, let fault = crash.fault { simulation.faults.tookEffect(fault) }
        return survivors
    }

    // MARK: Faults

    /// Whether a fault says what a crash does to unsynced writes, now.
    var hasCrashModelFault: Bool { disturbances.contains { $0.disturbance.crashModel != nil } }

    func disturb(_ disturbance: Disturbance, by fault: FaultInstanceID) { disturbances.append((fault, disturbance)) }
    func undisturb(_ fault: FaultInstanceID) { disturbances.removeAll { $0.id == fault } }

    /// Flips a bit of one of the files that have bytes; false when there is none.
    func rot(draw: (UInt64) -> UInt64) -> Bool {
        let candidates = disk.fileNames.filter { disk.length(of: $0) > 0 }
        guard !candidates.isEmpty else { return false }
        return disk.flipBit(candidates[Int(draw(UInt64(candidates.count)))], draw: draw)
    }

    /// A start changes nothing: what is on the disk is what the last crash left.
    public func processStarted(_ process: ProcessID, incarnation: UInt32) {}

    /// Does to unsynced writes what the crash model says.
    public func processCrashed(_ process: ProcessID) {
        let crash = crash()
        let lost = disk.crash(crash.model) { simulation.decisions.draw(crash.stream, below: $0) }
        if lost > 0, let fault = crash.fault { simulation.faults.tookEffect(fault) }
    }

    /// What the present crash does, from which stream it draws, and which fault wants it so. Each crash has a stream of its
    /// own, and one that a fault decides has one of the fault's: taking the fault away leaves later crashes as they were.
    private func crash() -> (model: CrashModel, stream: DecisionStreamID, fault: FaultInstanceID?) {
        let life = "\(simulation.name(of: process))#\(simulation.incarnation(of: process))"
        for (id, disturbance) in disturbances {
            guard let model = disturbance.crashModel else { continue }
            let entity = "\(simulation.faults.decisionEntity(of: id))/\(life)"
            return (model, simulation.decisions.stream("fault.disk", entity), id)
        }
        let stream = simulation.decisions.stream("disk.crash", life)
        if let model = settings.crashModel { return (model, stream, nil) }
        let models = CrashModel.allCases
        return (models[Int(simulation.decisions.draw(stream, below: UInt64(models.count)))], stream, nil)
    }

    private func pass(_ distribution: LatencyDistribution, _ context: ProcessContext) async throws {
        try await simulation.pass(context, drawLatency(distribution), WaitReason("its disk"))
    }
}
