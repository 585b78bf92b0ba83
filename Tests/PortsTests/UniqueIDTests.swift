import Ports
import Testing

@Suite struct UniqueIDTests {
    @Test("An id is read back from its text, in either case")
    func roundTrip() {
        var word: UInt64 = 0x0123_4567_89AB_CDEF
        for _ in 0..<1_000 {
            word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let id = UniqueID(high: word, low: word.byteSwapped ^ 0xFEDC_BA98_7654_3210)
            #expect(UniqueID(id.description) == id)
            #expect(UniqueID(id.description.uppercased()) == id)
            #expect(UniqueID(Substring(id.description)) == id)
        }
    }

    @Test("The text has the form 8-4-4-4-12 in lower case")
    func form() {
        let id = UniqueID(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)
        #expect(id.description == "00112233-4455-6677-8899-aabbccddeeff")
    }

    @Test("A text in which any one character is wrong is not an id")
    func wrongCharacters() {
        let right = Array("00112233-4455-6677-8899-aAbBcCdDeEfF".utf8)
        #expect(UniqueID(String(decoding: right, as: UTF8.self)) != nil)
        let digits = Set("0123456789abcdefABCDEF".utf8)
        for position in right.indices {
            for byte in UInt8(0)...127 where !digits.contains(byte) && byte != right[position] {
                var wrong = right
                wrong[position] = byte
                #expect(UniqueID(String(decoding: wrong, as: UTF8.self)) == nil)
            }
        }
    }

    @Test("A text of another length is not an id")
    func wrongLength() {
        let right = "00112233-4455-6677-8899-aabbccddeeff"
        #expect(UniqueID("") == nil)
        #expect(UniqueID(right + "0") == nil)
        #expect(UniqueID(right.dropLast()) == nil)
        #expect(UniqueID("00112233-4455-6677-8899-aabbccddeef\u{e9}") == nil)
    }
}
