import SimCore
import Testing

/// The form of a history, and what is no history.
struct HistoryTests {
    @Test("A committed operation prints as Jepsen's JSON, on one line")
    func committedOperationPrints() {
        let operation = HistoryOperation(
            process: 0, kind: .ok, value: [append(3, 2), read(4, [1, 2])], index: 5, time: 123456)
        #expect(
            operation.jsonLine
                == #"{"process":0,"type":"ok","value":[["append",3,2],["r",4,[1,2]]],"index":5,"time":123456}"#)
    }

    @Test(
        "Reads that are not known print as null, empty lists as empty",
        arguments: zip(
            [ListOperation.read(key: 4, elements: nil), read(4, []), append(-1, -2)],
            [#"["r",4,null]"#, #"["r",4,[]]"#, #"["append",-1,-2]"#]))
    func stepsPrint(step: ListOperation, text: String) {
        let operation = HistoryOperation(process: 7, kind: .invoke, value: [step], index: 0, time: 0)
        #expect(operation.jsonLine == #"{"process":7,"type":"invoke","value":[\#(text)],"index":0,"time":0}"#)
    }

    @Test("The four types have Jepsen's names")
    func typesHaveJepsensNames() {
        #expect(HistoryOperation.Kind.allCases.map(\.rawValue) == ["invoke", "ok", "fail", "info"])
    }

    @Test("Invocations and completions pair up by process, in order of invocation")
    func pairsByProcess() throws {
        var history = History()
        history.invoke(0, committed(read(x, [1])))
        history.invoke(1, aborted(append(x, 1)))
        history.complete(1, aborted(append(x, 1)))
        history.invoke(1, unanswered(append(x, 2)))
        history.complete(0, committed(read(x, [1])))
        let transactions = try history.transactions()
        #expect(transactions.map(\.outcome) == [.committed, .aborted, .unknown])
        #expect(transactions.map(\.name) == ["T4", "T2", "T3"])
        #expect(transactions[0].operations == [read(x, [1])])
    }

    @Test("An element that is appended twice to a list is refused, one in two lists is not")
    func appendedTwiceIsRefused() throws {
        #expect(throws: HistoryError.appendedTwice(index: 1, key: x, element: 1)) {
            try concurrent(committed(append(x, 1)), aborted(append(x, 1))).transactions()
        }
        #expect(try concurrent(committed(append(x, 1)), committed(append(y, 1))).transactions().count == 2)
    }

    @Test("A process that does anything after an unknown outcome is refused")
    func processEndsWithUnknownOutcome() throws {
        var history = oneAfterAnother(unknown(append(x, 1)))
        history.invoke(0, committed(append(x, 2)))
        #expect(throws: HistoryError.invocationBeforeCompletion(index: 2, process: 0, openSince: 0)) {
            try history.transactions()
        }
        var twice = oneAfterAnother(unknown(append(x, 1)))
        twice.complete(0, committed(append(x, 1)))
        #expect(throws: HistoryError.completionWithoutInvocation(index: 2, process: 0)) { try twice.transactions() }
    }

    @Test("A completion that fits no invocation is refused")
    func completionMustFit() throws {
        var history = History()
        history.complete(3, committed(append(x, 1)))
        #expect(throws: HistoryError.completionWithoutInvocation(index: 0, process: 3)) { try history.transactions() }
        var other = History()
        other.invoke(3, committed(append(x, 1)))
        other.complete(3, committed(append(x, 2)))
        #expect(throws: HistoryError.completionOfAnotherTransaction(index: 1, process: 3)) { try other.transactions() }
    }

    @Test("A committed read must say what it read")
    func committedReadMustBeKnown() throws {
        let lines = [HistoryOperation.Kind.invoke, .ok].enumerated().map { index, kind in
            HistoryOperation(
                process: 0, kind: kind, value: [.read(key: x, elements: nil)], index: index, time: 0)
        }
        #expect(throws: HistoryError.unknownRead(index: 1, key: x)) { try History(lines).transactions() }
    }
}
