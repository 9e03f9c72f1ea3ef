"""What the simulated conversations are about: who answers, what is said, which tool is called.

Templates name facts in braces: `{name}`, `{order}`, `{day}`, `{time}`, `{city}`. All people, orders and numbers are
invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CITIES", "DAYS", "EMOJI", "NAMES", "SCENARIOS", "TIMES", "Scenario", "Tool"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the agent calls: its name, and templates of what goes in and comes out."""

    name: str
    arguments: Mapping[str, str]
    result: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of conversation; exchanges are (what the customer says, what the agent answers)."""

    number: int
    """Of the agent who answers."""
    agent: str
    title: str
    language: str
    """Its English name, in lower case."""
    greeting: str
    opening: tuple[str, str]
    tool: Tool
    exchanges: tuple[tuple[str, str], ...]
    """What may follow the opening, each at most once."""
    farewell: str
    summary: str


NAMES = ("Ada", "Bruno", "Chidi", "Dana", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Mira")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
TIMES = ("08:30", "09:15", "10:40", "11:00", "13:45", "15:20", "16:10")
CITIES = ("Lisbon", "Oakland", "Graz", "Nairobi", "Osaka", "Gdańsk", "São Paulo")
EMOJI = ("🙂", "👍", "🙏🏽", "😅", "🎉", "👩‍💻")

_SMALL_TALK = (
    ("Sorry, could you say that again?", "Of course. Let me repeat the last part more slowly."),
    ("One moment, there is somebody at the door.", "Take your time, I will stay on the line."),
    ("Is this call recorded?", "Yes, it is recorded for quality, as our notice says."),
    ("You are cutting out a little.", "I hear you well now. Is it better on your side?"),
    ("How long will this take?", "No more than a couple of minutes."),
    ("Am I talking to a machine?", "I am a virtual agent. I can bring in a colleague at any time."),
    ("Can I get that in writing?", "Certainly, a confirmation goes to your address at example.com."),
    ("My number ends in zero one, if that helps.", "Thank you, that matches what I have here."),
    ("That is good to know.", "Glad to help. Is there anything else about it?"),
    ("Hmm, let me think.", "No hurry at all."),
)

_SUPPORT = Scenario(
    number=101,
    agent="Order support",
    title="Order {order}",
    language="english",
    greeting="Hello, you have reached order support. How can I help?",
    opening=("Hi, this is {name}. My order {order} has not arrived.", "I am sorry to hear that. Let me look it up."),
    tool=Tool("find_order", {"order_id": "{order}"}, {"state": "in transit", "depot": "{city}", "expected": "{day}"}),
    exchanges=(
        ("So where is it now?", "It left our depot in {city} and should reach you on {day}."),
        ("Can it be left with a neighbour?", "Yes. I have noted that for the driver."),
        ("The box was damaged last time.", "I apologize. I have asked for extra padding."),
        ("What if I am not at home?", "The driver tries again the next working day."),
        ("I would rather have my money back.", "I can start a refund as soon as the parcel is back with us."),
        ("Do I pay for the return?", "No, the label in the box is prepaid."),
        ("Can you change the address?", "Not while it is on the road, but after the first attempt I can."),
        ("Which company delivers it?", "A local carrier; the tracking page shows the driver's name."),
        *_SMALL_TALK,
    ),
    farewell="Thank you for your patience, {name}. Goodbye!",
    summary="{name} asked about late order {order}; it is in transit via {city} and due on {day}.",
)

_CLINIC = Scenario(
    number=102,
    agent="Clinic desk",
    title="Appointment for {name}",
    language="english",
    greeting="Good morning, this is the clinic's front desk. What can I do for you?",
    opening=("I need to move my appointment, my name is {name}.", "Sure. Let me see what is free."),
    tool=Tool("free_slots", {"day": "{day}"}, {"day": "{day}", "slot": "{time}"}),
    exchanges=(
        ("Is there something on {day}?", "Yes, {day} at {time} is free."),
        ("Should I come fasting?", "Please eat nothing for eight hours before the blood test."),
        ("Will it be the same doctor?", "Yes, your usual doctor is in that day."),
        ("Do you need my insurance card?", "Please bring it, we read it once a quarter."),
        ("I have had a cough since {day}.", "Thank you, I have added that for the doctor."),
        ("Is there parking?", "Behind the building, two hours are free."),
        ("Can my daughter come with me?", "Of course, there is a place to play in the waiting room."),
        ("And if I have to cancel?", "Call us a day before, then there is no fee."),
        *_SMALL_TALK,
    ),
    farewell="You are booked for {day} at {time}, {name}. Get well soon!",
    summary="{name} moved the appointment to {day} at {time}.",
)

_TABLE = Scenario(
    number=103,
    agent="Table bookings",
    title="Table for {name}",
    language="english",
    greeting="Welcome to Harbour Kitchen! Shall I book a table for you?",
    opening=("Yes please, a table for four on {day}.", "Lovely. I am checking {day} for you."),
    tool=Tool("check_tables", {"day": "{day}", "people": "4"}, {"free": "true", "at": "{time}"}),
    exchanges=(
        ("Around {time}, if possible.", "{time} works. May I have a name?"),
        ("It is {name}.", "Thank you, {name}. Inside or on the terrace?"),
        ("One of us eats no nuts.", "I have told the kitchen: no nuts at your table."),
        ("Do you have a high chair?", "Yes, we will set one up."),
        ("Can we bring a cake?", "Gladly, we keep it cool until dessert."),
        ("Is the terrace covered?", "It is, and there are heaters."),
        ("Until when can we stay?", "The table is yours for the evening."),
        *_SMALL_TALK,
    ),
    farewell="See you on {day} at {time}!",
    summary="Table for four booked for {name} on {day} at {time}.",
)

_INTERVIEW = Scenario(
    number=104,
    agent="Recruiting",
    title="First interview, {name}",
    language="english",
    greeting="Thank you for joining, {name}. This is a short first interview; shall we begin?",
    opening=("Yes, I am ready.", "Great. Tell me about your last job."),
    tool=Tool("score_answer", {"question": "last job"}, {"score": "4", "of": "5"}),
    exchanges=(
        ("I ran the night shift at a depot in {city}.", "What did a difficult night look like?"),
        ("Two trucks late, one driver ill. I moved routes around.", "How did you decide which route to give up?"),
        ("I asked who would wait longest.", "That is a clear rule. What would you do differently today?"),
        ("Call the customers earlier.", "Why earlier?"),
        ("People forgive a delay, not a silence.", "Well put. How do you work with people you disagree with?"),
        ("I ask them to show me.", "Could you give an example?"),
        ("A colleague sorted by weight. He was right.", "What did you learn from it?"),
        ("When would the job begin?", "In about six weeks, in {city}."),
        *_SMALL_TALK,
    ),
    farewell="Thank you, {name}. You will hear from us by {day}.",
    summary="{name} described logistics work in {city}; clear examples, available in six weeks.",
)

_BANK = Scenario(
    number=105,
    agent="Card services",
    title="Card of {name}",
    language="english",
    greeting="Card services, good afternoon. How may I help you?",
    opening=("I lost my card in {city}, I am {name}.", "I will block it at once. One moment."),
    tool=Tool("block_card", {"customer": "{name}", "reason": "lost"}, {"blocked": "true", "reference": "{order}"}),
    exchanges=(
        ("Has anybody used it?", "I see no payment since yesterday."),
        ("When do I get a new one?", "It is posted on {day}."),
        ("Does the number change?", "Yes, so please update saved payments."),
        ("Can I use my phone meanwhile?", "Yes, the virtual card keeps working."),
        ("Is there a fee?", "The first replacement each year is free."),
        ("Send it to my office, please.", "We only post to the address on file."),
        ("What is the reference?", "It is {order}."),
        *_SMALL_TALK,
    ),
    farewell="Your old card is blocked, {name}. Take care!",
    summary="Card of {name} blocked (reference {order}); replacement posted on {day}.",
)

_SPANISH = Scenario(
    number=106,
    agent="Reservas",
    title="Reserva de {name}",
    language="spanish",
    greeting="¡Buenos días! ¿En qué puedo ayudarle?",
    opening=("Soy {name}. ¿Tienen una habitación libre?", "Un momento, lo compruebo enseguida."),
    tool=Tool("buscar_habitacion", {"ciudad": "{city}"}, {"habitación": "doble", "número": "{order}"}),
    exchanges=(
        ("Que dé al jardín, por favor.", "Sí, queda una en la segunda planta."),
        ("¿El desayuno está incluido?", "Sí, de siete a once de la mañana."),
        ("Llegaré hacia las {time}.", "Perfecto, la recepción está abierta."),
        ("¿Puedo llevar a mi perro?", "Claro que sí, sin coste adicional."),
        ("¿Hay aparcamiento?", "Sí, detrás del edificio."),
    ),
    farewell="¡Gracias, {name}! Hasta pronto.",
    summary="{name} reservó una habitación doble; número {order}.",
)

_GERMAN = Scenario(
    number=107,
    agent="Werkstatt",
    title="Termin für {name}",
    language="german",
    greeting="Grüß Gott, Werkstatt am Fluss. Was kann ich für Sie tun?",
    opening=("{name} hier. Die Bremsen quietschen.", "Das sehen wir uns an. Ich prüfe die Termine."),
    tool=Tool("termin_suchen", {"anliegen": "Bremsen"}, {"frei": "{time}", "hebebühne": "2"}),
    exchanges=(
        ("Geht es noch diese Woche?", "Ja, um {time} wäre etwas frei."),
        ("Was wird das ungefähr kosten?", "Das kann ich erst nach der Prüfung sagen."),
        ("Bekomme ich einen Leihwagen?", "Ein kleines Auto steht für Sie bereit."),
        ("Wie lange dauert es?", "Meist einen halben Tag."),
    ),
    farewell="Danke, {name}. Auf Wiederhören!",
    summary="{name} bringt den Wagen um {time} wegen quietschender Bremsen.",
)

_JAPANESE = Scenario(
    number=108,
    agent="予約センター",
    title="{name}様のご予約",
    language="japanese",
    greeting="お電話ありがとうございます。予約センターでございます。",
    opening=("{name}です。予約を変更したいのですが。", "かしこまりました。確認いたします。"),
    tool=Tool("予約検索", {"番号": "{order}"}, {"状態": "確認済み", "時刻": "{time}"}),
    exchanges=(
        ("{time}に変更できますか。", "はい、{time}で承ります。"),
        ("人数は三人になります。", "三名様ですね。承知いたしました。"),
        ("駐車場はありますか。", "はい、建物の裏にございます。"),
    ),
    farewell="ありがとうございました。お待ちしております。",
    summary="{name}様の予約を{time}に変更。",
)

SCENARIOS = (
    _SUPPORT, _CLINIC, _TABLE, _INTERVIEW, _BANK, _SUPPORT, _CLINIC, _TABLE, _SUPPORT, _CLINIC, _SPANISH, _GERMAN,
    _JAPANESE,
)  # fmt: skip
"""Every kind, the frequent ones repeated."""
