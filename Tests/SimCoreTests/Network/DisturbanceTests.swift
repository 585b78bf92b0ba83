import Ports
import Testing

@testable import SimCore

@Suite("Several faults of one link at once")
struct DisturbanceTests {
    private static let (a, b) = (ProcessID(index: 0), ProcessID(index: 1))
    private static let sentAt = Instant.epoch + .seconds(1)

    private static func disturbance(_ effect: NetworkDisturbance.Effect, fault: UInt32) -> NetworkDisturbance {
        NetworkDisturbance(
            from: ProcessSet([a]), to: ProcessSet([b]), effect: effect, fault: FaultInstanceID(rawValue: fault),
            decisionEntity: "fault-\(fault)")
    }

    /// What becomes of each of 300 datagrams, a millisecond under way without faults, and how often each fault took effect.
    private static func plans(
        _ disturbances: [NetworkDisturbance]
    ) -> (plans: [NetworkState.DatagramPlan], bites: [FaultInstanceID: Int]) {
        var state = NetworkState()
        state.defaultQuality = LinkQuality(latency: .constant(.milliseconds(1)))
        for disturbance in disturbances { _ = state.install(disturbance) }
        var decisions = Decisions(seed: 1)
        let plans = (0..<300).map { _ in
            state.planDatagram(from: a, to: b, byteCount: 64, now: sentAt, decisions: &decisions)
        }
        return (plans, state.takeBitten().reduce(into: [:]) { $0[$1, default: 0] += 1 })
    }

    @Test("A fault that loses messages leaves the draws of the faults after it as they were")
    func lossShiftsNothing() {
        let duplication = Self.disturbance(.duplicate(.percent(50)), fault: 1)
        let reordering = Self.disturbance(.reorder(.percent(50), delay: .milliseconds(9)), fault: 2)
        let without = Self.plans([duplication, reordering]).plans
        let with = Self.plans([Self.disturbance(.lose(.percent(50)), fault: 3), duplication, reordering]).plans
        #expect((100...200).contains(with.filter { $0 == .lost }.count))
        #expect(zip(with, without).allSatisfy { $0 == .lost || $0 == $1 })
    }

    @Test("What happens to a message that is lost anyway counts as the loss's effect alone")
    func lostCountsOnce() {
        let slow = Self.disturbance(.slow(factor: 3), fault: 1)
        let loss = Self.disturbance(.lose(.percent(50)), fault: 2)
        for disturbances in [[slow, loss], [loss, slow]] {
            let (plans, bites) = Self.plans(disturbances)
            let lost = plans.filter { $0 == .lost }.count
            #expect(bites[FaultInstanceID(rawValue: 2)] == lost)
            #expect(bites[FaultInstanceID(rawValue: 1)] == 300 - lost)
        }
        let (plans, bites) = Self.plans([slow, Self.disturbance(.block, fault: 3)])
        #expect(plans.allSatisfy { $0 == .lost })
        #expect(bites == [FaultInstanceID(rawValue: 3): 300])
    }

    @Test("A slow link makes the second copy of a message slow as well")
    func slowCopies() {
        let (plans, _) = Self.plans([
            Self.disturbance(.duplicate(.percent(100)), fault: 1), Self.disturbance(.slow(factor: 10), fault: 2),
        ])
        for plan in plans {
            guard case .deliverTwice(let first, let second) = plan else {
                Issue.record("a message was not doubled: \(plan)")
                continue
            }
            #expect(first == Self.sentAt + .milliseconds(10))
            #expect(second >= Self.sentAt + .milliseconds(10) && second <= Self.sentAt + .milliseconds(20))
        }
    }
}
