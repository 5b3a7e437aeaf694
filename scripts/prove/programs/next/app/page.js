export default function Page() {
  return <p>candlewick</p>
}
