#include "foreign.h"

#include "text.h"

#include <string.h>

enum { PLAIN_MOST = 16, MARKED_MOST = 24, LINE_READ = 8192 };

/* From the message catalogues of glibc (po/) and bash (po/), and from older releases of both. Those with letters beyond
 * ASCII apart: most lines have none. */
static const struct phrase {
    const char *english, *plain[PLAIN_MOST], *marked[MARKED_MOST];
} phrases[] = {
    {"cannot allocate memory in static TLS block",
     {"impossibile allocare memoria nel blocco statico TLS", "kan geen geheugen reserveren binnen statisch TLS-blok",
      "kan inte allokera minne i statiskt TLS-block", "Kan ikke tildele hukommelse i statisk TLS-blok"},
     {"Kein Speicher im statischen TLS-Block verfügbar", "ne peut allouer de la mémoire dans un bloc statique TLS",
      "No se pudo asignar memoria en el bloque TLS estático", "impossível alocar memória em bloco TLS estático",
      "não foi possível alocar memória em bloco TLS estático", "nie można przydzielić pamięci w statycznym bloku TLS",
      "невозможно выделить память в статичном блоке TLS", "не вдалося отримати область пам’яті у статичному блоці TLS",
      "nelze alokovat paměť uvnitř statického bloku TLS", "durağan TLS bloğunda bellek ayrılamıyor",
      "静的 TLS ブロック内にメモリを配置出来ません", "정적 TLS 블럭에는 메모리를 할당할 수 없습니다",
      "无法在静态 TLS 块中分配内存", "無法在靜態 TLS 區塊中配置記憶體"}},
    {"No such file or directory",
     {"Datei oder Verzeichnis nicht gefunden", "Aucun fichier ou dossier de ce type",
      "No existe el fichero o el directorio", "Ficheiro ou pasta inexistente", "File o directory non esistente",
      "Bestand of map bestaat niet", "Nie ma takiego pliku ani katalogu", "Filen eller katalogen finns inte",
      "Ingen slik fil eller filkatalog", "Tiedostoa tai hakemistoa ei ole", "No existe el archivo o el directorio",
      "Onbekend bestand of map"},
     {"Arquivo ou diretório inexistente", "Нет такого файла или каталога", "Немає такого файла або каталогу",
      "Adresář nebo soubor neexistuje", "Ingen sådan fil eller filkatalog", "Nincs ilyen fájl vagy könyvtár",
      "Böyle bir dosya ya da dizin yok", "そのようなファイルやディレクトリはありません",
      "그런 파일이나 디렉터리가 없습니다", "没有那个文件或目录", "沒有此一檔案或目錄",
      "Aucun fichier ou répertoire de ce type", "Arquivo ou diretório não encontrado",
      "그런 파일이나 디렉토리가 없습니다", "沒有此檔案或目錄"}},
    {"Permission denied",
     {"Keine Berechtigung", "Permiso denegado", "Permesso negato", "Toegang geweigerd", "Ikke tilgang",
      "Permesso non accordato", "Keine Zugriffsberechtigung"},
     {"Permission non accordée", "Permissão recusada", "Permissão negada", "Brak dostępu", "Отказано в доступе",
      "Відмовлено у доступі", "Operace zamítnuta", "Åtkomst nekas", "Adgang nægtet", "Lupa evätty",
      "Engedély megtagadva", "Erişim engellendi", "許可がありません", "허가 거부", "权限不够", "拒絕不符權限的操作",
      "Brak uprawnień", "권한이 없습니다", "Přístup odepřen"}},
    {"Operation not permitted",
     {"Die Operation ist nicht erlaubt", "Operazione non permessa", "Actie is niet toegestaan", "Operacja niedozwolona",
      "Operationen er ikke tilladt", "Operasjonen er ikke tillatt", "Toiminto ei ole sallittu"},
     {"Opération non permise", "Operación no permitida", "Operação não permitida", "Операция не позволена",
      "Дію заборонено", "Operace není povolena", "Operationen inte tillåten", "A művelet nem engedélyezett",
      "İşleme izin verilmedi", "許可されていない操作です", "명령을 허용하지 않음", "不允许的操作",
      "此項操作並不被允許"}},
    {"Too many levels of symbolic links",
     {"Zu viele Ebenen aus symbolischen Links", "Trop de niveaux de liens symboliques",
      "Troppi livelli di collegamenti simbolici", "Te veel niveaus van symbolische koppelingen -- vermoedelijk een lus",
      "Liian monta symbolisten linkkien tasoa"},
     {"Demasiados niveles de enlaces simbólicos", "Demasiados níveis de ligações simbólicas",
      "Muitos níveis de links simbólicos", "Za duże zagnieżdżenie dowiązań symbolicznych",
      "Слишком много уровней символьных ссылок", "Забагато рівнів символічних посилань",
      "Příliš mnoho úrovní symbolických odkazů", "För många nivåer av symboliska länkar",
      "For mange niveauer med symbolske lænker", "For mange nivåer med symbolske linker", "Túl sok szimbolikus link",
      "Sembolik bağların seviyeleri çok fazla", "シンボリックリンクの階層が多すぎます", "기호 연결의 단계가 너무 많음",
      "符号连接的层数过多", "太多層級的符號連結檔"}},
    {"Exec format error",
     {"Fehler im Format der Programmdatei", "Erreur de format pour exec()", "Formato de ejecutable incorrecto",
      "Erro no formato exec", "Formato eseguibile non valido", "Verkeerd uitvoerbaar bestand"},
     {"Erro de formato do executável", "Błędny format pliku wykonywalnego", "Ошибка формата выполняемого файла",
      "Помилка, пов’язана з форматом виконуваних файлів", "Chybný formát spustitelného souboru",
      "Formatfel på körbar fil", "Ugyldigt format på eksekverbar fil", "Ugyldig format på eksekverbar fil",
      "Käynnistettävän tiedoston muoto virheellinen", "Érvénytelen végrehajtható fájlformátum",
      "Çalıştırılabilir biçem hatası", "実行形式エラー", "Exec 형식 오류", "可执行文件格式错误", "可執行檔格式錯誤"}},
    {"Connection refused",
     {"Verbindungsaufbau abgelehnt", "Connessione rifiutata", "Verbinding is geweigerd", "Oppkobling nektes",
      "Yhteys torjuttu", "Verbindung verweigert"},
     {"Connexion refusée", "Conexión rehusada", "Ligação recusada", "Conexão recusada", "Połączenie odrzucone",
      "В соединении отказано", "У з'єднанні відмовлено", "Spojení odmítnuto", "Förbindelsen förvägrad",
      "Opkobling nægtet", "Kapcsolat elutasítva", "Bağlantı reddedildi", "接続を拒否されました", "연결이 거부됨",
      "拒绝连接", "連線被拒絕", "Conexión rechazada"}},
    {"No space left on device",
     {"No queda espacio en el dispositivo", "Spazio esaurito sul device", "Geen ruimte meer over op apparaat"},
     {"Auf dem Gerät ist kein Speicherplatz mehr verfügbar", "Aucun espace disponible sur le périphérique",
      "Sem espaço livre no dispositivo", "Não há espaço disponível no dispositivo", "Brak miejsca na urządzeniu",
      "На устройстве не осталось свободного места", "Недостатньо місця на пристрої", "Na zařízení není volné místo",
      "Enheten är full", "Ikke mere plads på enheden", "Ikke mer plass på enheten", "Laitteella ei ole tilaa jäljellä",
      "Nincs több hely a lemezen", "Aygıt üzerinde boş yer yok", "デバイスに空き領域がありません",
      "장치에 남은 공간이 없음", "设备上没有空间", "裝置上已無多餘空間"}},
    {"Too many open files",
     {"Zu viele offene Dateien", "Trop de fichiers ouverts", "Demasiados ficheros abiertos",
      "Demasiados ficheiros abertos", "Muitos arquivos abertos", "Troppi file aperti", "Te veel open bestanden",
      "Liian monta avointa tiedostoa", "Demasiados archivos abiertos"},
     {"Za dużo otwartych plików", "Слишком много открытых файлов", "Забагато відкритих файлів",
      "Překročen limit počtu otevřených souborů", "För många öppna filer", "For mange åbne filer",
      "For mange åpne filer", "Túl sok nyitott fájl", "Çok fazla açık dosya var", "ファイルを開きすぎです",
      "열린 파일이 너무 많음", "打开的文件过多", "開啟太多檔案"}},
    {"Cannot allocate memory",
     {"No se pudo asignar memoria", "Impossibile allocare memoria", "Onvoldoende geheugen beschikbaar",
      "Kan inte allokera minne", "Kan ikke tildele hukommelse", "Kan ikke tildele minne",
      "Muistin varaaminen ei onnistu"},
     {"Nicht genügend Hauptspeicher verfügbar", "Ne peut allouer de la mémoire", "Impossível alocar memória",
      "Não foi possível alocar memória", "Nie można przydzielić pamięci", "Невозможно выделить память",
      "Не вдалося розподілити пам’ять", "Nelze alokovat paměť", "Nem foglalható memória", "Bellek ayrılamadı",
      "メモリを確保できません", "메모리를 할당할 수 없습니다", "无法分配内存", "無法配置記憶體"}},
    {"Segmentation fault",
     {"Speicherzugriffsfehler", "Erreur de segmentation", "Errore di segmentazione", "Segmentatiefout",
      "Segmenteringsfel", "Segmentfejl", "Minnesegmentsfeil", "Muistialueen ylitys", "Schutzverletzung"},
     {"Violación de segmento", "Falta de segmentação", "Falha de segmentação", "Naruszenie ochrony pamięci",
      "Ошибка сегментирования", "Помилка адресування", "Neoprávněný přístup do paměti (SIGSEGV)", "Szegmentálási hiba",
      "Parçalama arızası", "세그멘테이션 오류", "段错误", "程式記憶體區段錯誤"}},
    {"error while loading shared libraries",
     {"Fehler beim Laden der Shared Libraries", "error al cargar las bibliotecas compartidas",
      "erro ao carregar bibliotecas partilhadas", "erro ao carregar bibliotecas compartilhadas",
      "errore durante il caricamento delle librerie condivise", "fout bij laden van gedeelde bibliotheken",
      "virhe ladattaessa jaettuja kirjastoja"},
     {"erreur lors du chargement des librairies partagées", "błąd podczas wczytywania bibliotek dzielonych",
      "ошибка при загрузке разделяемых библиотек",
      "помилка під час спроби завантажити бібліотеки спільного використання", "chyba během načítání sdílených knihoven",
      "fel när delade bibliotek laddades", "fejl ved indlæsning af delte biblioteker",
      "hiba a megosztott programkönyvtárak betöltésekor", "paylaşımlı kitaplıklar yüklenirken hata oluştu",
      "共有ライブラリのロード中にエラーが発生しました", "동적 라이브러리를 읽어들이는데 오류가 발생했습니다",
      "载入共享库时出错", "載入共用函式庫時發生錯誤"}},
    {"cannot open shared object file",
     {"no se puede abrir el fichero del objeto compartido", "impossibile aprire il file oggetto condiviso",
      "kan gedeeld objectbestand niet openen", "jaettua objektitiedostoa ei voi avata"},
     {"Kann die Shared-Object-Datei nicht öffnen", "Ne peut ouvrir le fichier d'objet partagé",
      "impossível abrir ficheiro-objecto partilhado", "não é possível abrir arquivo compartilhado",
      "nie można otworzyć pliku obiektu dzielonego", "невозможно открыть разделяемый объектный файл",
      "не вдалося відкрити файл об’єктів спільного використання", "sdílený objektový soubor nelze otevřít",
      "kan inte öppna delad objektfil", "kan ikke åbne delt objektfil", "nem nyitható meg a megosztott objektumfájl",
      "paylaşımlı nesne dosyası açılamıyor", "共有オブジェクトファイルを開けません",
      "동적 오브젝트 파일을 열 수 없습니다", "无法打开共享对象文件", "無法開啟共用物件"}},
    {"symbol lookup error",
     {"Fehler beim Nachschlagen des Symbols", "erreur de recherche de symbole", "errore nella ricerca del simbolo",
      "opzoekfout voor symbool", "fel vid symboluppslagning", "fejl ved opslag af symbol", "virhe symbolien haussa"},
     {"error de búsqueda de símbolo", "erro de procura de símbolo", "erro de procura por símbolo",
      "błąd wyszukiwania symbolu", "ошибка поиска символа", "помилка під час пошуку символів",
      "chyba při vyhledávání symbolu", "szimbólumkikeresési hiba", "simge arama hatası", "シンボル検索エラーです",
      "심볼 찾기 오류", "符号查询错误", "符號查找錯誤"}},
    {"file too short",
     {"Die Datei ist zu kurz", "fichier trop court", "fichero demasiado corto", "ficheiro muito curto",
      "arquivo pequeno demais", "file troppo corto", "bestand is te kort", "for kort fil", "tiedosto on liian lyhyt"},
     {"plik za krótki", "файл слишком мал", "файл є надто коротким", "soubor je příliš krátký", "fil för kort",
      "a fájl túl rövid", "dosya çok küçük", "ファイルが小さすぎます", "파일이 너무 짧습니다", "文件过短", "檔案太小"}},
    {"invalid ELF header",
     {"intestazione ELF non valida", "ongeldige ELF-header", "ogiltigt ELF-huvud", "ugyldigt ELF-hoved",
      "virheellinen ELF-otsikko"},
     {"Ungültiger ELF-Header", "en-tête ELF invalide", "cabecera ELF inválida", "cabeçalho ELF inválido",
      "cabeçalho de ELF inválido", "nieprawidłowy nagłówek ELF", "неверный заголовок ELF", "некоректний заголовок ELF",
      "neplatný hlavička ELF", "érvénytelen ELF fejléc", "geçersiz ELF başlığı", "無効な ELF ヘッダーです",
      "ELF 헤더가 잘못됨", "无效的 ELF 头", "無效的 ELF 標頭"}},
    {"failed to map segment from shared object",
     {"Fehler beim Mappen des Shared Objects", "fallo al asignar un segmento del objeto compartido",
      "falha ao mapear segmento de objecto partilhado", "falha no mapeamento de segmento do objeto compartilhado",
      "mappatura del segmento dall'oggetto condiviso non riuscita",
      "kan segment van gedeeld object niet in het geheugen plaatsen", "kunne ikke afbilde segment fra delt objekt'"},
     {"échec d'adressage (mapping) du segment de l'objet partagé",
      "odwzorowanie segmentu z obiektu dzielonego nie powiodło się",
      "сбой отображения сегмента из разделяемого объекта",
      "не вдалося відобразити сегмент з об’єкта спільного використання",
      "namapování segmentu ze sdíleného objektu se nepodařilo", "misslyckades att mappa segment från delat objekt",
      "segmentin kartoitus jaetusta objektista epäonnistui",
      "a szegmens leképezése meghiúsult a megosztott objektumból", "parça paylaşımlı nesneden eşleştirilemedi",
      "共有オブジェクトのセグメントをマップするのに失敗しました", "동적 오브젝트의 세그먼트를 매핑하는 실패",
      "无法从共享目标中映射段", "從共用物件中對映區段失敗"}},
    {"command not found",
     {"Kommando nicht gefunden", "commande introuvable", "orden no encontrada", "comando non trovato",
      "opdracht niet gevonden", "nie znaleziono polecenia", "kommandot finns inte", "kommando ikke fundet", "komut yok",
      "Befehl nicht gefunden", "comando no encontrado"},
     {"comando não encontrado", "команда не найдена", "команду не знайдено", "příkaz nenalezen", "komentoa ei löydy",
      "parancs nem található", "コマンドが見つかりません", "명령어를 찾을 수 없음", "未找到命令", "指令找不到",
      "no se encontró la orden", "找不到命令", "找不到指令", "명령을 찾을 수 없습니다"}},
    {"cannot execute: required file not found",
     {"no se puede ejecutar: no se ha encontrado el fichero requerido",
      "kan niet uitvoeren: vereist bestand is niet gevonden"},
     {"ne peut exécuter : le fichier requis n'a pas été trouvé", "nie można uruchomić: nie znaleziono wymaganego pliku",
      "не вдалося виконати: не знайдено потрібного файла", "nelze spustit: požadovaný soubor neexistuje",
      "det går inte att köra: en nödvändig fil finns inte", "kan ikke kjøres: den nødvendige filen ble ikke funnet",
      "実行できません: 必要なファイルがありません", "실행할 수 없음: 필요한 파일이 없습니다",
      "无法执行：找不到需要的文件", "無法執行：找不到必須檔案"}},
    {"cannot execute binary file",
     {"no se puede ejecutar el fichero binario", "impossibile eseguire il file binario",
      "kan binair bestand niet uitvoeren"},
     {"Kann die Datei nicht ausführen", "ne peut exécuter le fichier binaire", "impossível executar o binário",
      "impossível executar o arquivo binário", "nie można uruchomić pliku binarnego",
      "не удаётся запустить бинарный файл", "не вдалося виконати бінарний файл", "binární soubor nelze spustit",
      "det går inte att köra binär fil", "kan ikke eksekvere binær fil", "klarte ikke å kjøre binærfil",
      "binääritiedostoa ei voida suorittaa", "bináris nem hajtható végre", "ikili dosya çalıştırılamıyor",
      "バイナリファイルを実行できません", "이진 파일을 실행할 수 없음", "无法执行二进制文件", "無法執行二進位檔案"}},
    {"bad interpreter",
     {"Defekter Interpreter", "interpretador errado", "interpretador incorreto", "interprete errato",
      "ongeldige interpreter", "felaktig tolk", "ugyldig tolk", "virheellinen tulkki"},
     {"mauvais interpréteur", "intérprete erróneo", "zły interpreter", "неверный интерпретатор",
      "неправильний інтерпретатор", "chybný interpretr", "dårlig fortolker", "rossz parancsértelmező",
      "hatalı yorumlayıcı", "誤ったインタプリタです", "잘못된 인터프리터", "错误的解释器", "不當的直譯器"}},
};

/* Where one of TEXTS stands in LINE, and behind what goes before a message; NULL: none does. */
static const char *find(const char *line, const char *const texts[], size_t most, size_t *size)
{
    for (size_t i = 0; i < most && texts[i]; i++) {
        const char *at = strstr(line, texts[i]);

        if (!at)
            continue;
        *size = strlen(texts[i]);
        return at;
    }
    return NULL;
}

/* A colon as typography has it: with a blank before it, which may be one that does not break (French), or a wide one
 * (Chinese). The length of TEXT without it. */
static size_t without_colon(const char *text, size_t size)
{
    static const char *const forms[] = {" : ", "\xc2\xa0: ", "\xe2\x80\xaf: ", "\xef\xbc\x9a", "\xef\xbc\x9a ", ": "};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t n = strlen(forms[i]);

        if (size >= n && memcmp(text + size - n, forms[i], n) == 0)
            return size - n;
    }
    return size;
}

static void replace(struct text *line, const char *at, size_t size, const char *english)
{
    struct text made = {0};
    size_t before = (size_t)(at - line->v), kept = without_colon(line->v, before);

    text_addn(&made, line->v, kept);
    if (kept < before)
        text_add(&made, ": ");
    text_add(&made, english);
    text_add(&made, at + size);
    text_deinit(line);
    *line = made;
}

static bool is_plain(const char *line)
{
    while (*line && (unsigned char)*line < 0x80)
        line++;
    return !*line;
}

char *foreign_in_english(const char *line)
{
    struct text made = {0};
    bool plain = is_plain(line);

    if (strlen(line) > LINE_READ)
        return NULL;
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++) {
        const char *from = made.v ? made.v : line;
        size_t size = 0;
        const char *at = find(from, phrases[i].plain, PLAIN_MOST, &size);

        if (!at && !plain)
            at = find(from, phrases[i].marked, MARKED_MOST, &size);
        if (!at)
            continue;
        if (!made.v) {
            size_t offset = (size_t)(at - line);

            text_add(&made, line);
            at = made.v + offset;
        }
        replace(&made, at, size, phrases[i].english);
    }
    return made.v;
}
