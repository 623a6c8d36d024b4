package codec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
)

// newSigningKey makes the key pair of a signed message and returns the public
// key as its context pair holds it: the compressed point (SEC 1, 2.3.3) in base64.
func newSigningKey(curve elliptic.Curve) (*ecdsa.PrivateKey, string, error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, "", err
	}
	point, err := key.PublicKey.Bytes() // 04 ‖ X ‖ Y
	if err != nil {
		return nil, "", err
	}
	n := (len(point) - 1) / 2
	compressed := append([]byte{2 | point[2*n]&1}, point[1:1+n]...)
	return key, base64.StdEncoding.EncodeToString(compressed), nil
}

// parsePublicKey reads the public key of a context pair.
func parsePublicKey(curve elliptic.Curve, text string) (*ecdsa.PublicKey, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	x, y := elliptic.UnmarshalCompressed(curve, b)
	if x == nil {
		return nil, false
	}
	n := (curve.Params().BitSize + 7) / 8
	point := make([]byte, 1+2*n)
	point[0] = 4
	x.FillBytes(point[1 : 1+n])
	y.FillBytes(point[1+n:])
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	return key, err == nil
}

func (i *suiteInfo) digest(b []byte) []byte {
	h := i.sign.New()
	h.Write(b)
	return h.Sum(nil)
}
