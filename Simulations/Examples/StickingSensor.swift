import Ports
public import SimCore

/// A sensor that may stick, and a display: chance, a kind of fault of one's own, a property with a dependency, a bound in
/// time, and a process that is started again after an error.
public func stickingSensor() -> Scenario {
    Scenario("sticking-sensor", summary: "a sensor that may stick, and a display of what it says") { simulation in
        let bus = MessageBus<Int>(simulation, name: "readings")
        let sensor = Sensor()
        let shown = Tally()

        simulation.faults.register(
            FaultDefinition(
                "sensor-sticks", summary: "the sensor says again what it said last", targets: .none,
                lasting: .milliseconds(100)...(.seconds(2))
            ) { injection in
                sensor.stickingFault = injection.id
                return { sensor.stickingFault = nil }
            })

        // Made once, drawn from often: the name says what is decided.
        let readings = simulation.decisions.stream("sensor.readings")
        simulation.addProcess("sensor", onError: .restart(after: .seconds(1))) { context in
            while true {
                if let fault = sensor.stickingFault {
                    simulation.faults.tookEffect(fault)
                } else {
                    sensor.reading = Int(simulation.decisions.draw(readings, below: 100))
                }
                // One reading in ten is an error, which ends this incarnation.
                if sensor.reading >= 90 { throw SensorError(reading: sensor.reading) }
                try bus.send(sensor.reading, from: context, to: "display")
                try await context.sleep(for: .milliseconds(100))
            }
        }

        let display = simulation.properties.dependency("the display")
        let isDull = simulation.properties.sometimes("the display shows zero")
        simulation.addProcess("display") { context in
            while true {
                shown.value = try await bus.receive(context).message
                display.changed()
                if shown.value == 0 { isDull.reached() }
            }
        }

        simulation.properties.always("the display shows no error", on: display) {
            PropertyVerdict(shown.value < 90, "it shows \(shown.value)")
        }
        simulation.properties.eventually("the display shows something", within: .seconds(30)) {
            PropertyVerdict(shown.value > 0)
        }

        let faults = FaultPlan(entries: [.init("sensor-sticks")], safetyPhase: .seconds(10), meanGap: .seconds(1))
        return Scenario.Prepared(faultPlan: faults, livenessBound: .minutes(1)) { context in
            try await context.sleep(for: .seconds(30))
        }
    }
}

/// The sensor itself, which outlives the process that reads it. Touched on the simulation's thread only.
private final class Sensor: @unchecked Sendable {
    var reading = 0
    /// The fault by which it sticks now.
    var stickingFault: FaultInstanceID?
}

private struct SensorError: Error {
    let reading: Int
}
