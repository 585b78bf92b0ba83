import Ports
public import SimCore

/// The smallest system that shows something: a client that asks again when no answer comes, over a network that loses
/// messages.
///
/// - Parameter remembersRequests: whether the server knows a request that it has carried out. Without that, a request whose
///   answer was lost counts twice.
public func retryingCounter(remembersRequests: Bool) -> Scenario {
    Scenario(
        "retrying-counter", summary: "a counter whose client asks again when no answer comes (the smallest example)",
        options: ["remembers": remembersRequests ? "yes" : "no"]
    ) { simulation in
        let bus = MessageBus<Int>(simulation, name: "requests")
        let counter = Tally()

        simulation.addProcess("server") { context in
            var latest = 0
            while true {
                let request = try await bus.receive(context)
                if request.message != latest || !remembersRequests { counter.value += 1 }
                latest = request.message
                try bus.send(request.message, from: context, to: request.from)
            }
        }

        simulation.properties.atQuiescence("each request counts once") {
            PropertyVerdict(counter.value == 20, "20 requests, counted \(counter.value)")
        }

        let faults = FaultPlan(
            entries: [.init("loss", pool: ["server"])], safetyPhase: .seconds(1), meanGap: .milliseconds(200))
        return Scenario.Prepared(faultPlan: faults, livenessBound: .seconds(60)) { context in
            for number in 1...20 {
                repeat {
                    try bus.send(number, from: context, to: "server")
                } while try await bus.receive(context, timeout: .milliseconds(10))?.message != number
                try await context.sleep(for: .milliseconds(50))
            }
        }
    }
}

/// A number that lives outside of the processes, for a property to look at. Touched on the simulation's thread only.
final class Tally: @unchecked Sendable {
    var value = 0
}
