import Ports

extension FaultDefinition {
    /// A disk that takes longer: a failing device, a noisy neighbour.
    public static let slowDisk = FaultDefinition(
        "slow-disk", summary: "every operation on the targets' disks takes longer", targets: .processes,
        parameters: [FaultParameter("factor", unit: "", default: 20, in: 2...1_000)],
        lasting: .milliseconds(500)...(.seconds(60))
    ) { injection in
        injection.disturbDisks { $0.slowFactor = injection.parameter("factor") }
    }

    /// No space left on the device.
    public static let fullDisk = FaultDefinition(
        "full-disk", summary: "the targets' disks are full", targets: .processes,
        lasting: .milliseconds(500)...(.seconds(30))
    ) { injection in
        injection.disturbDisks { $0.isFull = true }
    }

    /// fsync fails; what was not synced is marked clean and never written (fsyncgate, PostgreSQL 2018).
    public static let failedSync = FaultDefinition(
        "failed-fsync", summary: "fsync fails on the targets' disks", targets: .processes,
        lasting: .milliseconds(10)...(.seconds(5))
    ) { injection in
        injection.disturbDisks { $0.failsSyncs = true }
    }

    /// A crash meanwhile loses everything that was not synced.
    public static let unsyncedLoss = FaultDefinition(
        "unsynced-loss", summary: "a crash of the targets meanwhile loses every write that was not synced",
        targets: .processes, lasting: .seconds(1)...(.seconds(60))
    ) { injection in
        injection.disturbDisks { $0.crashModel = .dropUnsynced }
    }

    /// A crash meanwhile leaves a write half done.
    public static let tornWrite = FaultDefinition(
        "torn-write", summary: "a crash of the targets meanwhile leaves the first lost write half done",
        targets: .processes,
        lasting: .seconds(1)...(.seconds(60))
    ) { injection in
        injection.disturbDisks { $0.crashModel = .tear }
    }

    /// A bit flips on the disk.
    public static let bitRot = FaultDefinition(
        "bit-rot", summary: "a bit flips in a file of the targets", targets: .processes
    ) { injection in
        for disk in injection.simulation.disks where injection.targets.contains(disk.process) {
            if disk.rot(draw: { injection.draw(below: $0) }) { injection.tookEffect() }
        }
        return nil
    }
}

extension FaultInjection {
    fileprivate func disturbDisks(_ change: (inout SimulatedDisk.Disturbance) -> Void) -> FaultDefinition.Healing {
        var disturbance = SimulatedDisk.Disturbance()
        change(&disturbance)
        let disks = simulation.disks.filter { targets.contains($0.process) }
        for disk in disks { disk.disturb(disturbance, by: id) }
        return { for disk in disks { disk.undisturb(self.id) } }
    }
}
