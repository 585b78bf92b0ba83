public import Ports

/// What the code of one incarnation holds of the simulation: its clock, ids, log and, through other parts, its ports.
///
/// Every port of a simulation takes a context and asks it first whether the incarnation still lives, so that no code of a
/// dead one has an effect.
public final class ProcessContext: Sendable {
    /// The run that it belongs to.
    public let simulation: Simulation
    /// The process whose incarnation it is.
    public let process: ProcessID
    /// The process's name.
    public let name: String
    /// Which life of the process it is, from one.
    public let incarnation: UInt32
    /// Set to false by the crash or the end of the run; on the simulation's own thread only.
    @usableFromInline nonisolated(unsafe) var isLive = true

    init(simulation: Simulation, process: ProcessID, name: String, incarnation: UInt32) {
        self.simulation = simulation
        self.process = process
        self.name = name
        self.incarnation = incarnation
    }

    /// Whether this incarnation is the process's present one and has not crashed.
    @inlinable public var isAlive: Bool { isLive && simulation.isOnOwnThread }

    /// The first thing that every port call does.
    ///
    /// - Throws: ``Ports/ProcessStopped`` when this incarnation has ended. The call is counted; an incarnation that goes on
    ///   calling ports after its death is reported as a failure of the run.
    @inlinable public func checkAlive() throws {
        if !isAlive { throw simulation.rejectCallOfStoppedProcess(self) }
    }

    /// The process's disk, when it was given one. The first, when it was given several.
    public var disk: SimulatedDisk? { simulation.disks.first { $0.process == process } }

    /// ``checkAlive()`` for a call that may suspend, which is the better one for it: a loop that does not listen ends there.
    ///
    /// - Throws: ``Ports/ProcessStopped`` when this incarnation has ended.
    @inlinable @inline(__always) public func requireAlive() async throws {
        if !isAlive { try await simulation.refuseCall(self) }
    }

    /// The process's own clock as the port, offset and drift included.
    public var clock: any ServiceClock { ContextClock(context: self) }
    /// Ids from a decision stream of the process.
    public var identifiers: any Identifiers { ContextIdentifiers(context: self) }
    /// Where log lines of the process go: to ``Simulation/logSink``.
    public var log: any ServiceLog { ContextLog(context: self) }

    /// Waits for `span` of this process's own clock: what `clock.sleep(for:)` does, without the way through the port.
    ///
    /// - Throws: ``Ports/ProcessStopped``, `CancellationError`.
    @inlinable @inline(__always) public func sleep(for span: Nanoseconds) async throws {
        try await simulation.sleep(self, span)
    }

    /// Says that the calling task need not hear of its cancellation while it waits: the end of its process ends its waits
    /// anyway. Saves about 200 ns a wait in a child task; a main function's own task has it from the start.
    public func declareUncancellable() { simulation.state.pointee.currentTask.isRoot = true }

    /// A scheduling point: lets any other ready task run first, as the scheduling policy decides.
    public func yield() async throws {
        try await requireAlive()
        await simulation.yieldToReadyTasks()
        try await requireAlive()
    }
}

/// The clock of a process: virtual time through its offset and drift.
@usableFromInline struct ContextClock: ServiceClock {
    @usableFromInline let context: ProcessContext

    init(context: ProcessContext) { self.context = context }

    @usableFromInline var now: Instant {
        context.simulation.noteThread()
        return context.simulation.localTime(of: context.process)
    }
    @usableFromInline var monotonicNow: Instant {
        context.simulation.noteThread()
        return context.simulation.localMonotonicTime(of: context.process)
    }

    @inlinable func sleep(for span: Nanoseconds) async throws {
        try await context.simulation.sleep(context, span)
    }
}

/// Ids drawn from the process's own stream.
struct ContextIdentifiers: Identifiers {
    let context: ProcessContext

    func next() -> UniqueID { context.simulation.drawUniqueID(for: context) }
}

/// Log lines to ``Simulation/logSink``, when there is one; the trace has none of them.
struct ContextLog: ServiceLog {
    let context: ProcessContext

    var minimumLevel: LogLevel { context.simulation.minimumLogLevel }

    func write(_ level: LogLevel, _ message: String, _ fields: [LogField]) {
        // An ended incarnation has nowhere to write to: its lines are lost.
        guard context.isAlive else { return context.simulation.noteThread() }
        context.simulation.writeLog(level, process: context.process, message, fields)
    }
}
