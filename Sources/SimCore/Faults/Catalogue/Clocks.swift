import Ports

extension FaultDefinition {
    /// A clock is set forward or back, as NTP or an operator does.
    public static let clockJump = FaultDefinition(
        "clock-jump", summary: "the process's clock jumps forward or back", targets: .processes,
        parameters: [FaultParameter("by", unit: "ms", default: 30_000, in: -3_600_000...3_600_000)]
    ) { injection in
        let step = Nanoseconds.milliseconds(injection.parameter("by"))
        guard step != .zero else { return nil }
        for target in injection.targets {
            injection.simulation.jumpClock(of: target, by: step)
            injection.tookEffect()
        }
        return { for target in injection.targets { injection.simulation.jumpClock(of: target, by: .zero - step) } }
    }

    /// A clock runs faster or slower than the others.
    public static let clockDrift = FaultDefinition(
        "clock-drift", summary: "the process's clock runs fast or slow", targets: .processes,
        parameters: [FaultParameter("rate", unit: "ppm", default: 10_000, in: -100_000...100_000)],
        lasting: .seconds(1)...(.minutes(10))
    ) { injection in
        let rate = injection.parameter("rate")
        guard rate != 0 else { return nil }
        for target in injection.targets {
            injection.simulation.disturbClock(of: target, partsPerMillion: rate, fault: injection.id)
            injection.tookEffect()
        }
        return {
            for target in injection.targets { injection.simulation.undisturbClock(of: target, fault: injection.id) }
        }
    }
}
