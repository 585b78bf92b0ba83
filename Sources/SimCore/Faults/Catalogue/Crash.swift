import Ports

extension FaultDefinition {
    /// A process dies and starts again. Its machine goes on: peers see resets.
    public static let crash = FaultDefinition(
        "crash", summary: "the process dies, and starts again after a while", targets: .processes,
        parameters: [FaultParameter("restart_after", unit: "ms", default: 1_000, in: 1...30_000)]
    ) { injection in
        injection.crashTargets(hostDown: false)
    }

    /// A machine loses power: peers see no reset, their connections are half-open until they write and wait.
    public static let hostCrash = FaultDefinition(
        "host-crash", summary: "the machine dies without a word and comes back later; connections stay half-open",
        targets: .processes, parameters: [FaultParameter("restart_after", unit: "ms", default: 5_000, in: 1...60_000)]
    ) { injection in
        injection.crashTargets(hostDown: true)
    }

    /// A process is stopped for good until the liveness phase.
    public static let stop = FaultDefinition(
        "stop", summary: "the process dies and stays down until the fault ends", targets: .processes,
        lasting: .milliseconds(100)...(.seconds(30))
    ) { injection in
        var crashed: [ProcessID] = []
        for target in injection.targets where injection.takeDown(target) {
            injection.tookEffect()
            crashed.append(target)
        }
        return { injection.restart(crashed) }
    }
}

extension FaultInjection {
    /// Crashes each target and schedules its restart; healing brings that forward for what is still down.
    fileprivate func crashTargets(hostDown: Bool) -> FaultDefinition.Healing? {
        let delay = Nanoseconds.milliseconds(parameter("restart_after"))
        var crashed: [ProcessID] = []
        for target in targets where takeDown(target, hostDown: hostDown) {
            tookEffect()
            crashed.append(target)
            simulation.scheduleRestart(of: target, at: simulation.now + delay)
        }
        return { restart(crashed) }
    }

    /// Crashes one target, unless it is spared or down already. Returns whether it went down.
    fileprivate func takeDown(_ target: ProcessID, hostDown: Bool = false) -> Bool {
        !simulation.faults.isSpared(target) && simulation.crash(target, hostDown: hostDown)
    }

    /// Starts those that are still down, by an event at this instant, so that a trace shows it. One that has been started meanwhile may have come to its own end, and has no reason
    /// to begin again.
    fileprivate func restart(_ targets: [ProcessID]) {
        for target in targets where simulation.state(of: target) == .crashed {
            simulation.scheduleRestart(of: target, at: simulation.now)
        }
    }
}
