// Answers requests on stdin, one JSON object a line, with AWS's SDK for JavaScript.
'use strict'
const { constants } = require('crypto')
const readline = require('readline')
const esdk = require('@aws-crypto/client-node')
const { KMS } = require('@aws-sdk/client-kms')

const policies = esdk.CommitmentPolicy
const committing = esdk.buildClient(policies.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
const older = esdk.buildClient(policies.FORBID_ENCRYPT_ALLOW_DECRYPT)

function keyring (r) {
  if (r.rsa) {
    const oaep = /^OAEP_(SHA\d+)_MGF1$/.exec(r.rsa.padding)
    return new esdk.RawRsaKeyringNode({
      keyName: 'key',
      keyNamespace: 'interop',
      rsaKey: { publicKey: r.rsa.public, privateKey: r.rsa.private },
      padding: oaep ? constants.RSA_PKCS1_OAEP_PADDING : constants.RSA_PKCS1_PADDING,
      oaepHash: oaep ? oaep[1].toLowerCase() : undefined
    })
  }
  if (r.kms && r.kms.mrk) {
    return new esdk.AwsKmsMrkAwareSymmetricKeyringNode({
      keyId: r.kms.arn,
      client: new KMS({
        region: r.kms.region,
        endpoint: r.kms.endpoint,
        credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' }
      })
    })
  }
  if (r.kms) {
    return new esdk.KmsKeyringNode({
      generatorKeyId: r.kms.arn,
      clientProvider: region => new KMS({
        region,
        endpoint: r.kms.endpoint,
        credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' }
      })
    })
  }
  return new esdk.RawAesKeyringNode({
    keyName: 'key',
    keyNamespace: 'interop',
    unencryptedMasterKey: Uint8Array.from(Buffer.from(r.key, 'hex')),
    wrappingSuite: esdk.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING
  })
}

async function answer (r) {
  const client = r.suite === 0x0478 || r.suite === 0x0578 ? committing : older
  if (r.op === 'encrypt') {
    const { result } = await client.encrypt(keyring(r), Buffer.from(r.data, 'base64'),
      { suiteId: r.suite, encryptionContext: r.context, frameLength: r.frame })
    return { data: result.toString('base64') }
  }
  const { plaintext, messageHeader } = await client.decrypt(keyring(r), Buffer.from(r.data, 'base64'))
  for (const [k, v] of Object.entries(r.context)) {
    if (messageHeader.encryptionContext[k] !== v) throw new Error('the context differs')
  }
  return { data: plaintext.toString('base64') }
}

readline.createInterface({ input: process.stdin }).on('line', async line => {
  let out
  try {
    out = await answer(JSON.parse(line))
  } catch (e) {
    out = { error: String(e.message || e) }
  }
  process.stdout.write(JSON.stringify(out) + '\n')
})
