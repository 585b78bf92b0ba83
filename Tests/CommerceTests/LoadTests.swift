import Domain
import Ports
import Testing

@testable import commerce

@Suite struct LoadTests {
    @Test("Options have defaults, and a wrong one is said with what was expected")
    func options() throws {
        #expect(try LoadOptions([]).orderCount == 2_000)
        let options = try LoadOptions(["--orders", "5", "--customers", "3", "--json"])
        #expect(options.orderCount == 5 && options.customerCount == 3 && options.isJSON)
        for (arguments, text) in [
            (["--orders", "x"], "--orders: found 'x'; expected a whole number from 1 to 10000000"),
            (["--customers"], "--customers: found nothing; expected a whole number from 1 to 10000"),
            (["--fast"], "load has no option '--fast'; expected --orders, --customers, --workload or --json"),
        ] {
            let error = #expect(throws: CommandLineInterface.UsageError.self) { _ = try LoadOptions(arguments) }
            #expect(error?.description == text)
        }
    }

    @Test("A percentile is the smallest span that so many do not exceed")
    func percentiles() {
        let latency = LoadReport.Latency((1...100).map { .milliseconds($0) }.shuffled())
        #expect(latency.percentile(50) == .milliseconds(50))
        #expect(latency.percentile(95) == .milliseconds(95))
        #expect(latency.percentile(99) == .milliseconds(99))
        #expect(LoadReport.Latency([.milliseconds(7)]).percentile(50) == .milliseconds(7))
        #expect(LoadReport.Latency([]).percentile(99) == .zero)
    }

    @Test("A book counts an order's end once, whichever stream shows it, and keeps what each showed")
    func book() {
        let book = LoadBook(orderCount: 2)
        let order = UniqueID(randomHigh: 1, randomLow: 2)
        book.accepted(1, order, key: "k")
        #expect(!book.isSettled)
        book.saw(.completed, ofOrder: order, stream: .order, id: 5)
        book.saw(.completed, ofOrder: order, stream: .feed, id: 9)
        book.saw(.completed, ofOrder: UniqueID(randomHigh: 3, randomLow: 4), stream: .feed, id: 10)
        book.failed(0, "409")
        #expect(book.finishedCount == 1)
        #expect(book.completedCount == 1)
        #expect(book.isSettled)
        #expect(book.entries[1].sightings.map(\.id) == [5, 9])
        let report = LoadReport(book, customerCount: 1, usages: [], judgement: LoadReport.Judgement(text: "none"))
        #expect(report.outcomes.map(\.status) == ["COMPLETED", "REFUSED"])
        #expect(!report.isGood)
    }
}
