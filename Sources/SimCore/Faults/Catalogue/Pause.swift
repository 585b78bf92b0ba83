import Ports

extension FaultDefinition {
    /// A process freezes (a long garbage collection, SIGSTOP, a stalled hypervisor): the way to make zombies.
    public static let pause = FaultDefinition(
        "pause", summary: "the process freezes while the world goes on", targets: .processes,
        lasting: .milliseconds(10)...(.seconds(60))
    ) { injection in
        var paused: [ProcessID] = []
        for target in injection.targets
        where injection.simulation.state(of: target) == .running && injection.simulation.pause(target) {
            injection.tookEffect()
            paused.append(target)
        }
        return { for target in paused { injection.simulation.resume(target) } }
    }
}
