import Ports

/// Tells a transport of crashes and ends, once for each process that has connections.
final class CrashWatch<Message>: ProcessObserver {
    private unowned let transport: Transport<Message>
    private var watched: Set<ProcessID> = []

    init(_ transport: Transport<Message>) { self.transport = transport }

    func watch(_ process: ProcessID, _ simulation: Simulation) {
        if watched.insert(process).inserted { simulation.observe(process, by: self) }
    }

    func processStarted(_ process: ProcessID, incarnation: UInt32) {}
    func processCrashed(_ process: ProcessID) { transport.processCrashed(process) }
    func processFinished(_ process: ProcessID) { transport.processFinished(process) }
}
