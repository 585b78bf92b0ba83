public import Ports

/// What a process is doing.
public enum ProcessState: String, Hashable, Sendable, Codable {
    /// Declared, and not started yet.
    case idle
    /// Started, and neither ended nor frozen.
    case running
    /// Frozen: nothing of it runs, while the world goes on and what is addressed to it piles up.
    case paused
    /// Ended by a crash; may be started again.
    case crashed
    /// Its main function returned.
    case finished
}

/// What to do when a process's main function throws something other than ``Ports/ProcessStopped``.
public enum ErrorPolicy: Hashable, Sendable {
    /// The run fails, naming process and error.
    case failRun
    /// As an orchestrator does: start a new incarnation after a while.
    case restart(after: Nanoseconds)
}

/// A process as the simulation keeps it. An incarnation is one life of it, from a start to a crash.
final class SimulatedProcess {
    typealias Main = @Sendable (ProcessContext) async throws -> Void

    let id: ProcessID
    let name: String
    let errorPolicy: ErrorPolicy
    /// `nil` for a process that consists of event handlers only, such as a simulated broker; let go of when the run is over.
    var main: Main?
    var state: ProcessState = .idle
    /// Grows with each start; zero before the first.
    var incarnation: UInt32 = 0
    /// What its events carry of the incarnation. Those scheduled before the first start are meant for the first incarnation.
    var incarnationTag: UInt16 { UInt16(truncatingIfNeeded: max(1, incarnation) % 65_535 + 1) }
    /// True while a pause lasts, which may be longer than the incarnation that was paused.
    var isPaused = false
    /// True while what comes is kept for later: during a pause, and after it until all that was kept has been delivered.
    var isFrozen = false
    /// The machine itself is down: nothing answers for the process, not even with a reset.
    var isHostDown = false
    var clock = ProcessClock()
    /// The clock's own drift, which it has while no fault gives it another.
    var ownDrift: Int64 = 0
    /// Drifts that faults give it, in the order in which they began; the last one counts.
    var faultDrifts: ContiguousArray<(fault: FaultInstanceID, partsPerMillion: Int64)> = []
    /// What came while it was frozen.
    var deferred = DeferredDeliveries()
    /// The main function of the present incarnation has begun and not returned.
    var isMainRunning = false
    /// Incarnations that have ended by a crash and whose main functions have not returned yet.
    var dyingIncarnations: ContiguousArray<UInt32> = []
    /// What starts it again after its crash, while it is down.
    var restart: ScheduledEvent?
    /// Port calls made by dead incarnations.
    var callsAfterStop = 0
    /// Told, in this order, when an incarnation starts and when it crashes.
    var observers: ContiguousArray<any ProcessObserver> = []
    var context: ProcessContext?
    /// The task of the present incarnation's main function.
    var mainTask: Task<Void, Never>?

    init(id: ProcessID, name: String, errorPolicy: ErrorPolicy, main: Main?) {
        self.id = id
        self.name = name
        self.errorPolicy = errorPolicy
        self.main = main
    }
}

/// Part of a process that lives beside its main function: a disk, a broker's state machine, connections.
public protocol ProcessObserver: AnyObject {
    /// A new incarnation begins, now. Called before its main function runs.
    func processStarted(_ process: ProcessID, incarnation: UInt32)
    /// The incarnation has ended by a crash, now: drop what was volatile.
    func processCrashed(_ process: ProcessID)
    /// The incarnation has ended since its main function returned, now: a machine closes what a process leaves open.
    func processFinished(_ process: ProcessID)
}

extension ProcessObserver {
    /// Does nothing: most parts have nothing to close.
    public func processFinished(_ process: ProcessID) {}
}
