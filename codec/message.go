package codec

import "encoding/binary"

// Message is a parsed message header together with the unread body. It refers
// to the bytes given to [Parse]. It is immutable and safe for concurrent use.
type Message struct {
	raw        []byte
	suite      Suite
	info       *suiteInfo
	id         []byte
	aad        []byte // the context, serialized, checked
	sorted     bool   // whether its keys are in order
	keys       []WrappedKey
	inline     [1]WrappedKey // what keys lies in, mostly
	framed     bool
	frame      uint32
	body       int // end of the header body: where its authentication begins
	content    int // where the message body begins
	commitment []byte
	iv, tag    []byte // of the header
}

// Suite is the message's algorithm suite.
func (m *Message) Suite() Suite { return m.suite }

// Version is the message format version, 1 or 2.
func (m *Message) Version() int { return int(m.info.version) }

// ID is the message id, 16 or 32 random bytes. It must not be changed.
func (m *Message) ID() []byte { return m.id }

// Context returns a copy of the stored encryption context.
func (m *Message) Context() Context {
	if len(m.aad) == 0 {
		return nil
	}
	return contextMap(m.pairs(), int(binary.BigEndian.Uint16(m.aad)))
}

// pairs are the context's pairs, serialized, without their count.
func (m *Message) pairs() []byte { return m.aad[min(2, len(m.aad)):] }

// stores looks a pair of the stored context up.
func (m *Message) stores(key string) (value []byte, ok bool) {
	for b := m.pairs(); len(b) > 0; {
		k, v, rest, _ := nextPair(b)
		if string(k) == key {
			return v, true
		}
		b = rest
	}
	return nil, false
}

// WrappedKeys are the message's wrapped data keys. They must not be changed.
func (m *Message) WrappedKeys() []WrappedKey { return m.keys }

// FrameLength is the length of a regular frame's plaintext in bytes, 0 for a
// body that is not framed.
func (m *Message) FrameLength() uint32 { return m.frame }

// HeaderLength is the length of the header with its authentication, in bytes.
func (m *Message) HeaderLength() int { return m.content }

// cursor reads big-endian fields and remembers the first failure.
type cursor struct {
	b      []byte
	offset int
	bad    string
}

func (c *cursor) take(n int, what string) []byte {
	if c.bad != "" || n < 0 || len(c.b)-c.offset < n {
		if c.bad == "" {
			c.bad = what + " is cut short"
		}
		return nil
	}
	c.offset += n
	return c.b[c.offset-n : c.offset : c.offset]
}

func (c *cursor) u8(what string) byte {
	if b := c.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16(what string) int {
	if b := c.take(2, what); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) u32(what string) uint32 {
	if b := c.take(4, what); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) field(what string) []byte { return c.take(c.u16(what), what) }

func tampered(offset int, what string) error {
	return &Error{Kind: ErrTampered, Op: "parse", What: what, Offset: offset}
}

// Parse reads a message's header; no key is needed and nothing is verified. The
// message refers to raw, which must not change while it is used. Bytes that do not
// start like a message give [ErrNotMessage]; a message that is cut short or
// contradicts itself gives [ErrTampered], an unknown suite [ErrUnsupportedSuite].
// It allocates at most a small multiple of len(raw).
func Parse(raw []byte) (*Message, error) {
	if err := startsLikeMessage(raw); err != nil {
		return nil, err
	}
	c := &cursor{b: raw, offset: 1}
	if raw[0] == 1 {
		c.offset = 2 // the type byte
	}
	m := &Message{raw: raw, suite: Suite(c.u16("the algorithm suite"))}
	m.info = m.suite.info()
	if c.bad == "" && (m.info == nil || m.info.version != raw[0]) {
		return nil, unsupported(m.suite, raw[0], c.offset-2)
	}
	if c.bad == "" {
		m.id = c.take(m.info.idLength(), "the message id")
	}
	m.aad = c.field("the encryption context")
	at := c.offset - len(m.aad)
	m.parseKeys(c)
	m.parseContentType(c)
	if c.bad != "" {
		return nil, tampered(c.offset, c.bad)
	}
	var err error
	m.sorted, err = checkContext(m.aad, at)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func unsupported(s Suite, version byte, offset int) error {
	what := "suite " + s.String() + " of message version " + string('0'+rune(version))
	if whose := foreign(s); whose != "" {
		what += ", which is " + whose
	}
	return &Error{Kind: ErrUnsupportedSuite, Op: "parse", What: what, Offset: offset}
}

// foreign says whose a suite is that messages never have.
func foreign(s Suite) string {
	switch {
	case s == 0x6700 || s == 0x6701:
		return "the AWS Database Encryption SDK's"
	case s >= 0x0070 && s <= 0x0074:
		return "the Amazon S3 Encryption Client's"
	}
	return ""
}

// startsLikeMessage tells other data from a message, and names the common
// mistake of passing base64 text.
func startsLikeMessage(raw []byte) error {
	not := func(what string) error {
		return &Error{Kind: ErrNotMessage, Op: "parse", What: what, Offset: 0}
	}
	switch {
	case len(raw) == 0:
		return not("there are no bytes")
	case len(raw) >= 2 && raw[0] == 1 && raw[1] == 0x80, len(raw) >= 2 && raw[0] == 2 && (raw[1] == 4 || raw[1] == 5):
		return nil
	case len(raw) >= 3 && raw[0] == 2 && foreign(Suite(raw[1])<<8|Suite(raw[2])) != "":
		return unsupported(Suite(raw[1])<<8|Suite(raw[2]), 2, 1)
	case len(raw) >= 2 && raw[0] == 'A' && (raw[1] == 'Y' || raw[1] == 'g'):
		return not("it looks like a message in base64; decode it first")
	}
	return not("the first bytes are another format's")
}

func (m *Message) parseKeys(c *cursor) {
	const what = "the wrapped keys"
	count := c.u16(what)
	if c.bad == "" && (count == 0 || count > (len(c.b)-c.offset)/6) {
		c.bad = "the number of wrapped keys is wrong"
	}
	if c.bad != "" {
		return
	}
	m.keys = m.inline[:]
	if count > 1 {
		m.keys = make([]WrappedKey, count)
	}
	for i := range m.keys {
		m.keys[i].ProviderID = provider(c.field(what))
		m.keys[i].ProviderInfo = c.field(what)
		m.keys[i].Ciphertext = c.field(what)
	}
}

// provider spares an allocation for the providers that nearly all messages name.
func provider(b []byte) string {
	switch string(b) {
	case "aws-kms":
		return "aws-kms"
	case "aws-kms-hierarchy":
		return "aws-kms-hierarchy"
	}
	return string(b)
}

func (m *Message) parseContentType(c *cursor) {
	const what = "the header"
	contentType := c.u8(what)
	if m.info != nil && m.info.version == 1 {
		reserved, iv := c.u32(what), c.u8(what)
		if c.bad == "" && (reserved != 0 || iv != ivLength) {
			c.bad = "a reserved field or the IV length is wrong"
		}
	}
	m.frame = c.u32(what)
	m.framed = contentType == 2
	switch {
	case c.bad != "":
	case contentType != 1 && contentType != 2:
		c.bad = "the content type is unknown"
	case m.framed == (m.frame == 0):
		c.bad = "the frame length does not fit the content type"
	}
	if c.bad != "" {
		return
	}
	if m.info.version == 2 {
		m.commitment = c.take(commitmentLength, "the key commitment")
	}
	m.body = c.offset
	if m.info.version == 1 {
		m.iv = c.take(ivLength, "the header's IV")
	}
	m.tag = c.take(tagLength, "the header's tag")
	m.content = c.offset
}
