import Testing

@testable import SimCore

@Suite("First-in first-out queues")
struct FIFOQueueTests {
    @Test("What is appended is taken in that order, whatever is taken in between", arguments: 0..<20 as Range<UInt64>)
    func order(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var queue = FIFOQueue<Int>()
        var model: [Int] = []
        for number in 0..<2_000 {
            switch generator.next(below: 8) {
            case 0...3:
                queue.append(number)
                model.append(number)
            case 4...6: #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            default:
                if generator.next(below: 100) == 0 {
                    queue.filter { $0.isMultiple(of: 3) }
                    model.removeAll { !$0.isMultiple(of: 3) }
                } else if !model.isEmpty {
                    #expect(queue.removeLast() == model.removeLast())
                }
            }
            #expect(queue.count == model.count && queue.isEmpty == model.isEmpty && queue.first == model.first)
            for index in model.indices.suffix(3) { #expect(queue[index] == model[index]) }
        }
    }

    @Test("What was taken is let go of at once")
    func letsGo() {
        final class Thing {}
        var queue = FIFOQueue<Thing>()
        weak var first: Thing?
        do {
            let thing = Thing()
            first = thing
            queue.append(thing)
        }
        queue.append(Thing())
        #expect(first != nil)
        _ = queue.popFirst()
        #expect(first == nil && queue.count == 1)
    }
}
